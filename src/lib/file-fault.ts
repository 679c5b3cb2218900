/** What the system says of a file, in words; its own text where there are none. */
export function fileFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code !== undefined && words[code]) || message;
}

/** What a person may do about it. */
export function fileMend(error: unknown): string {
  return (
    mends[(error as NodeJS.ErrnoException).code ?? ''] ?? 'See to it that this user may read and write there.'
  );
}

const mends: Record<string, string> = {
  ENOENT: 'Make the folder first.',
  ENOTDIR: 'Name a folder that is one.',
  EISDIR: 'Name a file in it.',
  ENOSPC: 'Make room on it.',
  EDQUOT: 'Make room on it, or raise the quota.',
  EROFS: 'Mount it for writing.',
  EIO: 'See the log of the machine: the disk may be broken.',
};

const words: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of its path is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'this user may not open it',
  EPERM: 'this user may not open it',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EIO: 'the disk gives errors',
  EMFILE: 'too many files are open',
};
