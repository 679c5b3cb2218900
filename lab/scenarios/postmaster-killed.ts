import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeNames } from '../network.ts';
import type { Scenario } from './scenario.ts';

export const postmasterKilled: Scenario = {
  name: 'postmaster-killed',
  title: 'the primary’s postmaster is killed (-9)',
  mode: 'synchronous',
  async run({ cluster, primary, say, until }) {
    const machine = cluster.machines[primary];
    const file = await readFile(join(machine.directory, 'data', 'postmaster.pid'), 'utf8');
    const pid = await machine.hostPid(Number.parseInt(file, 10));
    say(`the postmaster of ${primary} is killed`);
    process.kill(pid, 'SIGKILL');
    const killedAt = performance.now();
    // Patroni may start it again in place, or another node may take over first.
    await until('a node accepts writes again', () =>
      nodeNames.some((name) => cluster.watches[name].acknowledged.some(({ sentAt }) => sentAt > killedAt)),
    );
  },
};
