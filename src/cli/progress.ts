import { MultiBar, type Options, type Params } from 'cli-progress';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import type { Terminal } from './terminal.ts';

export interface ProgressBar {
  update(value: number): void;
  /** Says behind the bar what is waited for, until the next update. */
  wait(reason: string): void;
}

/** Bars on a terminal, nothing anywhere else. */
export interface Progress {
  bar(name: string, options: { total: number; unit: 'bytes' | 'count' }): ProgressBar;
  /** Bars are shown. */
  readonly live: boolean;
  /** Writes a line above the bars. */
  note(text: string): void;
  stop(): void;
}

interface Payload {
  name: string;
  unit: 'bytes' | 'count';
  rate: RateMeter;
  /** What is waited for; empty while it moves. */
  waiting: string;
}

const nameWidth = 10;

export function createProgress(terminal: Terminal, { quiet = false }: { quiet?: boolean } = {}): Progress {
  if (!terminal.interactive || quiet) {
    const write = quiet ? () => {} : (text: string) => void terminal.err.write(`${text}\n`);
    return { live: false, bar: () => ({ update() {}, wait() {} }), note: write, stop() {} };
  }
  const bars = new MultiBar({
    stream: terminal.err,
    fps: 8,
    hideCursor: null,
    forceRedraw: true,
    emptyOnZero: true,
    barsize: 30,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    format: formatBar,
    gracefulExit: false,
  });
  return {
    live: true,
    bar(name, { total, unit }) {
      const rate = new RateMeter();
      const bar = bars.create(total, 0, { name, unit, rate, waiting: '' } satisfies Payload);
      return {
        update(value) {
          rate.sample(value, performance.now(), { last: value >= total });
          bar.update(value, { waiting: '' });
        },
        wait: (reason) => bar.update({ waiting: reason }),
      };
    },
    // What is logged above bars is written when they are drawn: without one, never.
    note: (text) => void (bars.isActive ? bars.log(`${text}\n`) : terminal.err.write(`${text}\n`)),
    stop() {
      if (!bars.isActive) return;
      bars.update();
      bars.stop();
    },
  };
}

function formatBar(options: Options, params: Params, { name, unit, rate, waiting }: Payload): string {
  const share = params.total > 0 ? Math.min(1, params.value / params.total) : 0;
  const filled = Math.round(share * (options.barsize ?? 30));
  const bar = '█'.repeat(filled) + '░'.repeat((options.barsize ?? 30) - filled);
  const format = unit === 'bytes' ? formatBytes : formatCount;
  // What is finished has no present speed: the one that matters is that of the whole.
  const perSecond = share < 1 ? rate.perSecond() : rate.average();
  const speed = share < 1 || perSecond > 0 ? `  ${format(perSecond)}/s` : '';
  const left =
    share < 1 && perSecond > 0
      ? `, ${formatDuration(((params.total - params.value) / perSecond) * 1_000)} left`
      : '';
  const pace = waiting === '' ? `${speed}${left}` : `  ${waiting}`;
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  return `${name.padEnd(nameWidth)} ${bar} ${percent}  ${format(params.value)}/${format(params.total)}${pace}`;
}

interface Sample {
  atMs: number;
  value: number;
}

/** Speed over the last seconds, so that what the bar promises follows what happens. */
export class RateMeter {
  static readonly windowMs = 5_000;
  readonly #samples: Sample[] = [];

  #first: Sample | undefined;
  #end: Sample | undefined;

  /** Of several `last` samples the first counts: what comes later is only drawn again. */
  sample(value: number, atMs: number, { last: isLast = false }: { last?: boolean } = {}): void {
    this.#first ??= { atMs, value };
    if (isLast) this.#end ??= { atMs, value };
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < 100) return;
    this.#samples.push({ atMs, value });
    while (this.#samples.length > 2 && atMs - this.#samples[0]!.atMs > RateMeter.windowMs)
      this.#samples.shift();
  }

  perSecond(): number {
    return speedBetween(this.#samples[0], this.#samples.at(-1));
  }

  /** From the first sample to the one that was marked as the last. */
  average(): number {
    return speedBetween(this.#first, this.#end);
  }
}

function speedBetween(first: Sample | undefined, last: Sample | undefined): number {
  if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
  return Math.max(0, ((last.value - first.value) * 1_000) / (last.atMs - first.atMs));
}
