import type { Scenario } from './scenario.ts';

/** Without a watchdog the old primary lives on beside the new one, and must not acknowledge anything. */
const besideMs = 5_000;

export const patroniKilled: Scenario = {
  name: 'patroni-killed',
  title: 'the primary’s Patroni is killed (-9), and PostgreSQL lives on',
  mode: 'synchronous',
  async run({ cluster, primary, say, wait, acceptedBeside }) {
    say(`Patroni of ${primary} is killed`);
    await cluster.machines[primary].kill('patroni');
    await acceptedBeside(primary);
    await wait(besideMs);
    const { role } = cluster.watches[primary].state;
    say(
      `Patroni of ${primary} is started again; PostgreSQL there was ${role === 'down' ? 'down' : `a ${role}`}`,
    );
    cluster.startProgram(primary, 'patroni');
  },
};
