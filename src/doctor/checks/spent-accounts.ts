import { readSpentAccounts, type SpentAccount } from '../../store/inspection/read-spent-accounts.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** Accounts named one by one: a hundred customers that have used up their day are not a hundred findings. */
const accountsNamedMax = 10;

/** Accounts of which no message is taken now. It is how they are meant to be, so nothing is wrong with the installation. */
export const spentAccounts: Check = {
  name: 'spent-accounts',
  async run({ database }) {
    const spent = await readSpentAccounts(database);
    const findings = spent.slice(0, accountsNamedMax).map(findingOf);
    const more = spent.length - findings.length;
    if (more > 0) {
      findings.push({
        severity: 'info',
        summary: `${more} more accounts have used up their credit or their day's quota`,
        mend: 'For each account: millrace account show ID',
      });
    }
    return orOk(findings, 'no account has used up its credit or its day’s quota');
  },
};

function findingOf({ id, name, limits, prepaid, refusedBy, balanceMicros }: SpentAccount): Finding {
  const account = `account ${id} (${name})`;
  switch (refusedBy) {
    case 'credit':
      return {
        severity: 'info',
        summary: `${account} has ${balanceMicros / 1_000_000} ${prepaid!.currency} left, which pays for no SMS: its messages are refused`,
        mend: `millrace account credit ${id} AMOUNT --reason …`,
      };
    case 'messages_per_day':
      return {
        severity: 'info',
        summary: `${account} has used up its quota: ${limits.messagesPerDay} messages were taken in today (UTC), further ones are refused until the day ends`,
        mend: `Where it may send more: millrace account set ${id} --messages-per-day N`,
      };
    case 'parts_per_day':
      return {
        severity: 'info',
        summary: `${account} has used up its quota: ${limits.partsPerDay} SMS were taken in today (UTC), further ones are refused until the day ends`,
        mend: `Where it may send more: millrace account set ${id} --parts-per-day N`,
      };
  }
}
