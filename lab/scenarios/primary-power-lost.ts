import type { Scenario } from './scenario.ts';

const offMs = 2_000;

export const primaryPowerLost: Scenario = {
  name: 'primary-power-lost',
  title: 'the primary loses its power, and comes back as a replica',
  mode: 'synchronous',
  async run({ cluster, primary, say, wait, acceptedBeside }) {
    say(`${primary} loses its power`);
    await cluster.machines[primary].powerOff();
    await acceptedBeside(primary);
    await wait(offMs);
    say(`${primary} has power again`);
    await cluster.machines[primary].powerOn();
    cluster.startNode(primary);
  },
};
