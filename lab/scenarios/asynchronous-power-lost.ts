import type { Scenario } from './scenario.ts';

/** Replication lags so long, by a fault that nothing else notices. */
const lagMs = 3_000;
const offMs = 2_000;

export const asynchronousPowerLost: Scenario = {
  name: 'asynchronous-power-lost',
  title: 'without a synchronous standby, the primary loses its power: what is lost then',
  mode: 'asynchronous',
  ownFlood: true,
  async run({ cluster, primary, standby, other, say, wait, flood, remember, acceptedBeside }) {
    const { network, machines } = cluster;
    const replicas = [standby, other];
    say(`replication from ${primary} is dropped on its way`);
    await Promise.all(replicas.map((name) => network.dropReplication(name, primary)));
    const { accepted } = await flood();
    say(accepted ? 'the flood is accepted' : 'the flood is not accepted');
    await wait(lagMs);
    await remember();
    say(`${primary} loses its power`);
    await machines[primary].powerOff();
    await Promise.all(replicas.map((name) => network.passReplication(name)));
    await acceptedBeside(primary);
    await wait(offMs);
    say(`${primary} has power again`);
    await machines[primary].powerOn();
    cluster.startNode(primary);
  },
};
