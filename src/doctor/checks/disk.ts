import { realpath, stat, statfs } from 'node:fs/promises';
import { readPlaces } from '../../store/inspection/read-places.ts';
import type { Check, Finding } from '../check.ts';

/** Below it a flood may fill the disk before anybody looks: 4,000,000 messages take about 0.5 GB with their WAL. */
const freeBytesMin = 5 * 1_073_741_824;
/** Below it PostgreSQL may stop at any moment: its WAL alone may grow so much between two checkpoints. */
const freeBytesLeast = 1_073_741_824;

/** Room on the disks of this machine: the data directory's, and the database's when it is here. */
export const disk: Check = {
  name: 'disk',
  async run({ database, dataDir }) {
    const { directories, local } = await readPlaces(database);
    const findings = await Promise.all(
      [...(await fileSystems([dataDir, ...(local ? (directories ?? []) : [])]))].map(judge),
    );
    if (!local || directories === null) {
      findings.push({
        severity: 'info',
        summary: local
          ? 'the database does not tell this role where its files are'
          : 'the database is on another machine, whose disk is not seen from here',
        mend: local
          ? 'As a superuser: GRANT pg_read_all_settings TO the role that Millrace connects as;'
          : 'Watch it there: df -h',
      });
    }
    return findings;
  },
};

/** One directory for each file system that is reachable from here. */
async function fileSystems(directories: string[]): Promise<Set<string>> {
  const byDevice = new Map<number, string>();
  for (const directory of directories) {
    // Another machine's directory, or a container's, is not here; one of another user may be closed.
    const path = await realpath(directory).catch(() => undefined);
    const found = path && (await stat(path).catch(() => undefined));
    if (path && found && !byDevice.has(found.dev)) byDevice.set(found.dev, path);
  }
  return new Set(byDevice.values());
}

async function judge(path: string): Promise<Finding> {
  const { bavail, bsize, blocks } = await statfs(path);
  const free = bavail * bsize;
  const summary = `${gibibytes(free)} of ${gibibytes(blocks * bsize)} are free for ${path}`;
  if (free >= freeBytesMin) return { severity: 'ok', summary };
  const mend = 'Make room, or move the data to a larger disk; --retention-days drops finished days sooner';
  return { severity: free < freeBytesLeast ? 'error' : 'warning', summary, mend };
}

function gibibytes(bytes: number): string {
  return `${(bytes / 1_073_741_824).toFixed(1)} GiB`;
}
