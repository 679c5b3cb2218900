import { type OrderingBacklog, readOrderingBacklogs } from '../../store/inspection/read-ordering-backlogs.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** Behind what an owner keeps in memory of an account's messages with ordering keys, those of all keys wait. */
export const orderingBacklog: Check = {
  name: 'ordering-backlog',
  async run({ database }) {
    const backlogs = await readOrderingBacklogs(database);
    return orOk(
      backlogs.map(finding),
      "no account's messages with an orderingKey wait behind those of other keys",
    );
  },
};

function finding({ account, shards, messages, batch }: OrderingBacklog): Finding {
  return {
    severity: 'warning',
    summary:
      `account ${account} has ${messages} unfinished messages with an orderingKey on ${shards} shards: ` +
      'later ones wait there, whatever their key',
    mend:
      batch === null
        ? 'millrace lanes tells which route holds them back'
        : `millrace batch show ${batch}: resume, close or cancel it if it is held`,
  };
}
