import { pipeline, type Readable, type Transform } from 'node:stream';
import { SourceError } from './client-error.ts';

/** The last of the steps that `input` goes through, or `input` itself. Whatever fails on the way fails it with a SourceError. */
export function chain(input: Readable, steps: Transform[]): Readable {
  const last = steps.at(-1);
  if (last === undefined) return input;
  pipeline([input, ...steps], (error) => {
    if (error && !last.destroyed)
      last.destroy(error instanceof SourceError ? error : new SourceError(error.message, { cause: error }));
  });
  return last;
}
