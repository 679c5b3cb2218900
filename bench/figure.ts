import type { DatabaseServer } from './database.ts';
import type { Program } from './requirements.ts';

/** One thing that is measured, with a value for each run. */
export interface Measurement {
  name: string;
  unit: string;
  values: number[];
  /** What is aimed for: reached when the median is on the right side of it. */
  target?: { reach: number; aim?: number; better: 'lower' | 'higher' };
}

export interface FigureResult {
  measurements: Measurement[];
  /** What the reader must know to judge the numbers: sizes, settings, what was tried. */
  notes: string[];
}

export interface FigureContext {
  /** Seconds instead of minutes: shows that the figure works, not what it is. */
  short: boolean;
  /** How often a figure that takes turns between two sides repeats them. */
  runs: number;
  /** The flood's size: 4,000,000 unless said otherwise. */
  messages: number;
  /** For everything that may go when the bench ends. */
  dir: string;
  /** For the generated messages, which the next bench finds again. */
  dataDir: string;
  server: DatabaseServer;
  say(line: string): void;
}

export interface Figure {
  /** As in `bench <name>`. */
  name: string;
  title: string;
  needs: readonly Program[];
  /** Whether the peers' packages must be installed. */
  peers?: boolean;
  run(context: FigureContext): Promise<FigureResult>;
}

/** The size that fits the kind of bench. */
export function sized(context: FigureContext, sizes: { full: number; short: number }): number {
  return context.short ? sizes.short : sizes.full;
}

/** One value of each pair divided by the other: what a figure reports instead of times of one machine. */
export function ratios(above: readonly number[], below: readonly number[]): number[] {
  return above.map((value, run) => value / (below[run] as number));
}
