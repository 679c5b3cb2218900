import type { Environment } from '../config/environment.ts';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

const codes: Record<Style, [number, number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** What a command may write to: results go to `out`, everything meant for a person's eye meanwhile to `err`. */
export interface Terminal {
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream;
  /** A person watches `err`: progress bars make sense. */
  readonly interactive: boolean;
  /** `out` is a terminal on which a picture can be drawn. */
  readonly screen: boolean;
  /** Characters in a line of `out`; no limit where it is no terminal. */
  readonly columns: number;
  /** Wraps text in an ANSI style where the stream is a terminal that wants it. */
  style(style: Style, text: string, stream?: 'out' | 'err'): string;
}

export function createTerminal(
  out: NodeJS.WritableStream,
  err: NodeJS.WritableStream,
  env: Environment,
): Terminal {
  const dumb = env.TERM === 'dumb';
  const colourless = Boolean(env.NO_COLOR) || dumb;
  const colour = { out: isTerminal(out) && !colourless, err: isTerminal(err) && !colourless };
  return {
    out,
    err,
    interactive: isTerminal(err) && !dumb,
    screen: isTerminal(out) && !dumb,
    get columns() {
      // A terminal that does not know its size says 0.
      return (isTerminal(out) && (out as { columns?: number }).columns) || Number.POSITIVE_INFINITY;
    },
    style(style, text, stream = 'out') {
      if (!colour[stream]) return text;
      const [on, off] = codes[style];
      return `\u001b[${on}m${text}\u001b[${off}m`;
    },
  };
}

function isTerminal(stream: NodeJS.WritableStream): boolean {
  return (stream as { isTTY?: boolean }).isTTY === true;
}
