import { createTerminal, type Terminal } from '../src/cli/terminal.ts';
import { nodeNames } from './network.ts';
import { type Sample, sampleEveryMs } from './recorder.ts';
import type { LabEvents } from './run-lab.ts';
import type { Scenario } from './scenarios/scenario.ts';

/** What is drawn. */
export interface PictureState {
  scenario: Scenario;
  samples: readonly Sample[];
  actions: readonly string[];
}

const samplesDrawn = 60;
const actionsDrawn = 4;
const heights = ' ▁▂▃▄▅▆▇█';

/** Where nobody watches a terminal, a line for each step and act; else a picture that is drawn again and again. */
export function watchLab(): LabEvents {
  const terminal = createTerminal(process.stdout, process.stderr, process.env);
  return terminal.interactive ? livePicture(terminal) : lines(terminal);
}

function lines({ err }: Terminal): LabEvents {
  const say = (line: string) => void err.write(`${line}\n`);
  return {
    onStep: say,
    onScenario: ({ name, title }) => say(`${name}: ${title}`),
    onAction: (what) => say(`  ${what}`),
    onSample() {},
  };
}

function livePicture(terminal: Terminal): LabEvents {
  const { err } = terminal;
  let state: { scenario: Scenario; samples: Sample[]; actions: string[] } | undefined;
  let drawn = 0;
  const draw = () => {
    if (!state) return;
    const rows = drawPicture(state, terminal);
    // Up over what is there, and away with it.
    const back = drawn === 0 ? '' : `\u001b[${drawn}A\u001b[J`;
    err.write(`${back}${rows.join('\n')}\n`);
    drawn = rows.length;
  };
  return {
    onStep: (what) => void err.write(`${what}\n`),
    onScenario(scenario) {
      // The last picture of the one before stays.
      drawn = 0;
      state = { scenario, samples: [], actions: [] };
    },
    onAction(what) {
      state?.actions.push(what);
      draw();
    },
    onSample(sample) {
      state?.samples.push(sample);
      draw();
    },
  };
}

/** The lines of the picture: roles, timelines and lag of the nodes, what goes in, out and wrong, and what was done. */
export function drawPicture(
  { scenario, samples, actions }: PictureState,
  terminal: Pick<Terminal, 'style'>,
): string[] {
  const last = samples.at(-1);
  const style = (name: 'bold' | 'dim' | 'red' | 'green' | 'yellow', text: string) =>
    terminal.style(name, text, 'err');
  const head = `${style('bold', scenario.name)}: ${scenario.title} (${scenario.mode})`;
  if (!last) return [head];
  const nodes = nodeNames.map((name) => {
    const { role, timeline, lagBytes, accepts } = last.nodes[name];
    const colored = style(role === 'primary' ? 'green' : role === 'down' ? 'red' : 'dim', role.padEnd(8));
    const lag = lagBytes === undefined ? '' : `lag ${Math.round(lagBytes / 1_024)} KiB`;
    return `  ${name}  ${colored} timeline ${String(timeline ?? '?').padEnd(3)} ${lag.padEnd(14)} ${accepts ? style('bold', 'accepts writes') : ''}`;
  });
  const counts = (
    [
      ['writes', ({ writes }) => writes],
      ['reads', ({ reads }) => reads],
      ['of replicas', ({ replicaReads }) => replicaReads],
      ['delivered', ({ delivered }) => delivered],
      ['errors', ({ errors }) => errors],
    ] as [string, (sample: Sample) => number][]
  ).map(([name, of]) => rateLine({ name, values: samples.slice(-samplesDrawn).map(of) }));
  const done = actions.slice(-actionsDrawn).map((what) => style('yellow', `  ${what}`));
  return [`${head}  +${last.at.toFixed(0)} s`, ...nodes, ...counts, ...done];
}

function rateLine({ name, values }: { name: string; values: number[] }): string {
  const perSecond = (values.at(-1)! * 1_000) / sampleEveryMs;
  const highest = Math.max(1, ...values);
  const curve = values.map((value) => heights[Math.ceil((value / highest) * (heights.length - 1))]).join('');
  return `  ${name.padEnd(12)}${perSecond.toFixed(0).padStart(7)}/s  ${curve}`;
}
