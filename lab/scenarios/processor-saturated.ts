import { limitProcessor } from '../processor-limit.ts';
import type { Scenario } from './scenario.ts';

const saturatedMs = 15_000;

export const processorSaturated: Scenario = {
  name: 'processor-saturated',
  title: 'the primary has a twentieth of a core left',
  mode: 'synchronous',
  async run({ cluster, primary, say, wait }) {
    const limit = await limitProcessor(cluster.machines[primary]);
    try {
      say(`${primary}: ${limit.how}`);
      await wait(saturatedMs);
    } finally {
      await limit.lift();
    }
    say(`${primary} has its processor back`);
  },
};
