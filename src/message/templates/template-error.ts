/** A text that is no template: it is refused when it is saved. */
export class BadTemplateError extends Error {
  override readonly name = 'BadTemplateError';
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;

  constructor(detail: string, [line, column]: readonly [number, number]) {
    super(detail);
    this.line = line;
    this.column = column;
  }
}

/** The line and column, from 1, of a place in a text. */
export function positionIn(text: string, offset: number): readonly [number, number] {
  const lines = text.slice(0, offset).split('\n');
  return [lines.length, lines.at(-1)!.length + 1];
}

/** A template cannot be rendered with some parameters. Its message quotes nothing of them: it is kept. */
export class RenderError extends Error {
  override readonly name = 'RenderError';
}
