import { createDatabaseClock } from '../../store/database-clock.ts';
import type { Check } from '../check.ts';

/** Leases compare no clocks; the times that people see, and signatures of webhooks, do. */
const aheadMsMax = 1_000;

export const clock: Check = {
  name: 'clock',
  async run(context) {
    const databaseClock = await createDatabaseClock(context.database, context.clock);
    const aheadMs = context.clock.nowMs() - databaseClock.nowMs();
    const by = `${(Math.abs(aheadMs) / 1_000).toFixed(3)} s ${aheadMs < 0 ? 'behind' : 'ahead of'} the database's`;
    if (Math.abs(aheadMs) <= aheadMsMax) {
      return [{ severity: 'ok', summary: `this machine's clock is ${by}` }];
    }
    const mend = 'Let both machines follow a time server: timedatectl set-ntp true';
    return [{ severity: 'warning', summary: `this machine's clock is ${by}`, mend }];
  },
};
