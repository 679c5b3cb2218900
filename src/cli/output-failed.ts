import { fileFault, fileMend } from '../lib/file-fault.ts';

/** Standard output takes no more: the exit status, after a word of it where it is a failure. */
export function outputFailed(error: NodeJS.ErrnoException, err: NodeJS.WritableStream): 0 | 1 {
  // `millrace … | head` ends when the reader has seen enough.
  if (error.code === 'EPIPE') return 0;
  err.write(`error: standard output cannot be written: ${fileFault(error)}\n${fileMend(error)}\n`);
  return 1;
}
