import type { Scenario } from './scenario.ts';

/** Longer than Patroni takes to name another standby. */
const cutMs = 12_000;

export const replicaNetworkCut: Scenario = {
  name: 'replica-network-cut',
  title: 'the network of the standby that COMMIT waits for is cut',
  mode: 'synchronous',
  async run({ cluster: { network }, standby, say, wait }) {
    say(`the network of ${standby} is cut`);
    await network.cut(standby);
    await wait(cutMs);
    say(`the network of ${standby} is mended`);
    await network.mend(standby);
  },
};
