import type { Scenario } from './scenario.ts';

/** Longer than the leader's key lives: whoever could be promoted wrongly would be. */
const cutMs = 15_000;

export const primaryAndReplicaCut: Scenario = {
  name: 'primary-and-replica-cut',
  title: 'the networks of the primary and of its standby are cut at once',
  mode: 'synchronous',
  async run({ cluster: { network }, primary, standby, say, wait }) {
    say(`the networks of ${primary} and ${standby} are cut`);
    await Promise.all([network.cut(primary), network.cut(standby)]);
    await wait(cutMs);
    say('both networks are mended');
    await Promise.all([network.mend(primary), network.mend(standby)]);
  },
};
