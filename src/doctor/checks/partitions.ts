import { partitionsAhead } from '../../store/partitions.ts';
import { type Check, orOk } from '../check.ts';

/** A server makes a week ahead, every minute anew: fewer mean that none could for days. */
const daysWanted = 6;
const daysMin = 1;

export const partitions: Check = {
  name: 'partitions',
  async run({ database }) {
    const ahead = await partitionsAhead(database);
    const few = ahead.filter(({ days }) => days < daysWanted);
    return orOk(
      few.map(({ table, days }) => ({
        severity: days < daysMin ? 'error' : 'warning',
        summary:
          days < 0
            ? `${table} has no partition of today: nothing can be accepted`
            : `${table} has partitions for ${days} more days only`,
        mend: 'millrace migrate (a running server does it every minute: its log tells what keeps it from it)',
      })),
      `made ${Math.min(...ahead.map(({ days }) => days))} days ahead`,
    );
  },
};
