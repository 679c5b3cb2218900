import { readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { readWorkers } from '../../store/inspection/read-workers.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** One for each client's connection, each provider's and each of the database: a busy server has thousands. */
const limitMin = 4_096;
const usedShareMax = 0.8;

/** What the kernel lets the servers on this machine open; Linux alone tells it of other processes. */
export const fileDescriptors: Check = {
  name: 'file-descriptors',
  async run({ database }) {
    const pids = (await readWorkers(database))
      .filter(({ host }) => host === hostname())
      .map(({ pid }) => pid);
    const seen = await Promise.all(pids.map(descriptorsOf));
    const known = seen.filter((descriptors) => descriptors !== undefined);
    const summary =
      known.length === 0
        ? 'no worker on this machine can be looked at'
        : `${Math.max(...known.map(({ used }) => used))} at most of ${Math.min(...known.map(({ limit }) => limit))} are open`;
    return orOk(known.flatMap(judge), summary);
  },
};

interface Descriptors {
  pid: number;
  limit: number;
  used: number;
}

/** Undefined where there is no /proc, and for processes of other users. */
async function descriptorsOf(pid: number): Promise<Descriptors | undefined> {
  try {
    const [limits, open] = await Promise.all([
      readFile(`/proc/${pid}/limits`, 'utf8'),
      readdir(`/proc/${pid}/fd`),
    ]);
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
    if (soft === undefined) return undefined;
    return { pid, limit: soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft), used: open.length };
  } catch {
    return undefined;
  }
}

function judge({ pid, limit, used }: Descriptors): Finding[] {
  if (limit >= limitMin && used <= limit * usedShareMax) return [];
  return [
    {
      severity: used > limit * usedShareMax ? 'error' : 'warning',
      summary: `process ${pid} may open ${limit} files and connections, and has ${used}`,
      mend: 'Start it with more: ulimit -n 65536, or LimitNOFILE=65536 in its systemd unit',
    },
  ];
}
