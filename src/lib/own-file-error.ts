import { fileFault, fileMend } from './file-fault.ts';

/**
 * A file that Millrace keeps could not be read or written: which, why, and what to do. Without the system's code, by
 * which it would be taken for a fault of a connection, whose codes are the same.
 */
export class OwnFileError extends Error {
  override readonly name = 'OwnFileError';

  constructor(path: string, { doing, cause }: { doing: 'read' | 'written'; cause: unknown }) {
    const { code } = cause as NodeJS.ErrnoException;
    super(`${path} cannot be ${doing}: ${fileFault(cause)}${code ? ` (${code})` : ''}. ${fileMend(cause)}`, {
      cause,
    });
  }
}
