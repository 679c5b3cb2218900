import { cpus, totalmem } from 'node:os';
import type { Figure, FigureResult, Measurement } from './figure.ts';
import { spread } from './statistics.ts';

export interface Machine {
  cores: number;
  processor: string;
  memoryGib: number;
  node: string;
  postgres: string;
  platform: string;
}

export function describeMachine(postgres: string): Machine {
  const processors = cpus();
  return {
    cores: processors.length,
    processor: processors[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    postgres,
    platform: `${process.platform} ${process.arch}`,
  };
}

export interface FigureReport extends FigureResult {
  name: string;
  title: string;
  seconds: number;
}

export interface Report {
  at: string;
  short: boolean;
  runs: number;
  messages: number;
  machine: Machine;
  figures: FigureReport[];
  failures: { name: string; error: string }[];
}

export type Verdict = 'aim' | 'reached' | 'missed' | '';

export function verdict({ values, target }: Measurement): Verdict {
  if (!target) return '';
  const { median } = spread(values);
  const within = (bound: number) => (target.better === 'lower' ? median <= bound : median >= bound);
  if (target.aim !== undefined && within(target.aim)) return 'aim';
  return within(target.reach) ? 'reached' : 'missed';
}

/** For the README and for people: every measurement, what was asked of it, and the notes beneath. */
export function renderMarkdown(report: Report): string {
  const { machine } = report;
  const head = [
    `Measured ${report.at.slice(0, 10)} on ${machine.cores} cores (${machine.processor}), ${machine.memoryGib} GiB,`,
    `${machine.platform}, Node ${machine.node}, PostgreSQL ${machine.postgres}; median of ${report.runs} runs (least to most)`,
    'where a figure says so by its range.',
    ...(report.short ? ['', '**A short run: it shows that the figures work, not what they are.**'] : []),
  ];
  return [...head, '', ...report.figures.flatMap(renderFigure), ...report.failures.map(renderFailure)].join(
    '\n',
  );
}

export function renderFigure(figure: Pick<Figure, 'name' | 'title'> & FigureResult): string[] {
  const rows = figure.measurements.map((measurement) => {
    const { target } = measurement;
    const asked = target
      ? [number(target.reach), target.aim === undefined ? '' : number(target.aim)]
      : ['', ''];
    return `| ${measurement.name} | ${renderValues(measurement)} | ${asked.join(' | ')} | ${verdict(measurement)} |`;
  });
  return [
    `### ${figure.name}: ${figure.title}`,
    '',
    '| | measured | reach | aim | |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    figure.notes.join(' '),
    '',
  ];
}

function renderFailure({ name, error }: { name: string; error: string }): string {
  return `### ${name}: could not be measured\n\n${error}\n`;
}

function renderValues({ values, unit }: Measurement): string {
  const { min, median, max } = spread(values);
  const range = values.length > 1 ? ` (${number(min)} to ${number(max)})` : '';
  return `${number(median)}${range}${unit === '' ? '' : ` ${unit}`}`;
}

/** Three digits that count; thousands parted. */
function number(value: number): string {
  return value >= 1_000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
