import type { Scenario } from './scenario.ts';

const aheadMs = 4_000;

export const scheduledSwitchover: Scenario = {
  name: 'scheduled-switchover',
  title: 'the same, at a time that was set before',
  mode: 'synchronous',
  async run({ cluster, primary, standby, say, acceptedBeside }) {
    const at = new Date(Date.now() + aheadMs).toISOString();
    say(`switchover from ${primary} to ${standby} is scheduled in ${aheadMs / 1_000} s`);
    await cluster.patroni('/switchover', { leader: primary, candidate: standby, scheduled_at: at });
    await acceptedBeside(primary);
  },
};
