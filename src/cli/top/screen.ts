import type { CommandContext } from '../command-context.ts';

const sequence = '\u001b[';
const enter = `${sequence}?1049h${sequence}?25l`;
const leave = `${sequence}?25h${sequence}?1049l`;
const clearLine = `${sequence}K`;
const clearBelow = `${sequence}J`;
const sizeUnknown = { columns: 80, rows: 24 };
const controlC = 3;

export interface Screen {
  /** Lines that do not fit are cut off. */
  draw(lines: readonly string[]): void;
  /** What was there before is there again. May be called twice. */
  close(): void;
}

/** A page of its own on the terminal, which draws over itself; `onQuit` hears `q` and Ctrl-C. */
export function openScreen({ terminal, input }: CommandContext, onQuit: () => void): Screen {
  const out = terminal.out as NodeJS.WritableStream & { columns?: number; rows?: number };
  const onData = (data: Uint8Array) => {
    if (data.includes(controlC) || data.includes('q'.charCodeAt(0)) || data.includes('Q'.charCodeAt(0)))
      onQuit();
  };
  const hasKeys = input?.isTTY === true;
  if (hasKeys) {
    input.setRawMode?.(true);
    input.on('data', onData);
    input.resume();
  }
  let isOpen = true;
  out.write(enter);
  return {
    draw(lines) {
      const { columns = sizeUnknown.columns, rows = sizeUnknown.rows } = out;
      const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => cut(line, columns) + clearLine);
      out.write(`${sequence}H${shown.join('\r\n')}\r\n${clearBelow}`);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      if (hasKeys) {
        input.off('data', onData);
        input.setRawMode?.(false);
        input.pause();
      }
      out.write(leave);
    },
  };
}

/** To a width, not counting what colours it. */
function cut(line: string, columns: number): string {
  let width = 0;
  let kept = '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
  for (const [part] of line.matchAll(/\u001b\[[0-9;]*m|./gu)) {
    if (part.startsWith('\u001b')) kept += part;
    else if (width++ < columns) kept += part;
  }
  return kept;
}
