import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import packages from './debian-packages.json' with { type: 'json' };

export type Program = keyof typeof packages;

/** Debian keeps a server's own programs out of the PATH, one directory for each major version. */
const servers = [18, 17, 16, 15].map((major) => `/usr/lib/postgresql/${major}/bin`);
const everywhere = [
  '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin',
  ...servers,
].join(delimiter);

/** Where a program is, also when an ordinary user's PATH leaves the directories of system programs out. */
export function findProgram(program: Program): string | undefined {
  const path = serverPrograms.has(program) ? servers : [process.env.PATH ?? '', everywhere];
  const directories = path.join(delimiter).split(delimiter).filter(Boolean);
  return directories.map((directory) => join(directory, program)).find(isExecutable);
}

/** Of one major version together; what is in /usr/bin chooses one by rules of its own. */
const serverPrograms: ReadonlySet<Program> = new Set(['initdb', 'pg_ctl', 'pg_basebackup']);

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
