import type { CommandContext } from './command-context.ts';

/** Writes a result: as JSON for programs, or as the text that `render` makes for people, on lines of a width. */
export function printResult<T>(
  context: CommandContext,
  value: T,
  output: { json?: boolean | undefined; render: (value: T, width: number) => string },
): void {
  const text = output.json ? JSON.stringify(value, null, 2) : output.render(value, context.terminal.columns);
  if (text !== '') context.terminal.out.write(`${text}\n`);
}

/** One of several results, for programs: in a line of its own. */
export function printLine(context: CommandContext, value: unknown): void {
  context.terminal.out.write(`${JSON.stringify(value)}\n`);
}

/** A word to the person who waits; never a part of the result. */
export function printNote(context: CommandContext, text: string): void {
  context.terminal.err.write(`${text}\n`);
}

/** Warnings stand out from notes. */
export function printWarning({ terminal }: CommandContext, text: string): void {
  terminal.err.write(`${terminal.style('yellow', 'warning:', 'err')} ${text}\n`);
}
