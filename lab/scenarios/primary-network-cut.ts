import type { Scenario } from './scenario.ts';

/** With the new primary at work, the old one is still there and cut off. */
const besideMs = 3_000;

export const primaryNetworkCut: Scenario = {
  name: 'primary-network-cut',
  title: 'the network of the primary is cut',
  mode: 'synchronous',
  async run({ cluster: { network }, primary, say, wait, acceptedBeside }) {
    say(`the network of ${primary} is cut`);
    await network.cut(primary);
    await acceptedBeside(primary);
    await wait(besideMs);
    say(`the network of ${primary} is mended`);
    await network.mend(primary);
  },
};
