import type { Scenario } from './scenario.ts';

/** Longer than the primary waits before it steps down. */
const awayMs = 15_000;

export const etcdMajorityLost: Scenario = {
  name: 'etcd-majority-lost',
  title: 'two of three etcd members are killed (-9)',
  mode: 'synchronous',
  async run({ cluster, standby, other, say, wait }) {
    const members = [standby, other];
    say(`etcd of ${members.join(' and ')} is killed`);
    await Promise.all(members.map((name) => cluster.machines[name].kill('etcd')));
    await wait(awayMs);
    say(`etcd of ${members.join(' and ')} is started again`);
    for (const name of members) cluster.startProgram(name, 'etcd');
  },
};
