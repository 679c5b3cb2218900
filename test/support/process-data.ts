import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '../embedded/eventually.ts';

const ownPrefix = 'millrace-process-';

let own: string | undefined;

/** Where a server keeps its files that is told no place: never with those of a Millrace that this machine has. */
export function processData(): string {
  if (own === undefined) {
    const made = mkdtempSync(join(tmpdir(), `${ownPrefix}${process.pid}-`));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    own = made;
  }
  return own;
}

/** Removes what processes left behind that were killed: they could not do it at their exit. */
export function removeLeftData(parent = tmpdir(), prefix = ownPrefix): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]);
    if (!(pid > 0) || isAlive(pid)) continue;
    try {
      rmSync(join(parent, name), { recursive: true, force: true });
    } catch {
      // Another user's is theirs to remove, and one that another run removes at this moment goes.
    }
  }
}
