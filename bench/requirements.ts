import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs that some figures need beside Node and Millrace, and the Debian package that brings each. */
const packages = { psql: 'postgresql-client', nginx: 'nginx-light', 'redis-server': 'redis-server' } as const;

export type Program = keyof typeof packages;

/** Where a program is, or nothing. Debian keeps servers in sbin, which an ordinary user's PATH leaves out. */
export function findProgram(program: Program): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

export function requireProgram(program: Program): string {
  const found = findProgram(program);
  if (found === undefined) throw new MissingPrograms([program]);
  return found;
}

/** Refuses before anything is measured, naming all that is absent at once. */
export function requirePrograms(programs: readonly Program[]): void {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length > 0) throw new MissingPrograms(missing);
}

export class MissingPrograms extends Error {
  constructor(missing: readonly Program[]) {
    const install = missing.map((program) => packages[program]).join(' ');
    super(`absent: ${missing.join(', ')}. On Debian or Ubuntu: apt-get install ${install}`);
    this.name = 'MissingPrograms';
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
