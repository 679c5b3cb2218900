import type { Scenario } from './scenario.ts';

export const switchover: Scenario = {
  name: 'switchover',
  title: 'an operator hands the primary over to its standby',
  mode: 'synchronous',
  async run({ cluster, primary, standby, say, acceptedBeside }) {
    say(`switchover from ${primary} to ${standby}`);
    await cluster.patroni('/switchover', { leader: primary, candidate: standby });
    await acceptedBeside(primary);
  },
};
