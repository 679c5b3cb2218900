import { readReceiptsBacklog, readUnknownReceipts } from '../../store/inspection/read-receipts-backlog.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** They are matched within a second, those of a flood within half a minute; a minute is a server that was started again. */
const overdueMs = 60_000;
/** Some come for messages that are recorded in a moment; so many are a provider whose ids are not kept. */
const waitingMax = 10_000;

/** What providers tell later, and nobody makes anything of. */
export const receipts: Check = {
  name: 'receipts',
  async run({ database }) {
    const { unmatched, oldestMs, waiting } = await readReceiptsBacklog(database, { overdueMs });
    const findings: Finding[] = [];
    if (unmatched > 0) {
      findings.push({
        severity: 'error',
        summary: `${unmatched} receipts have waited to be matched for up to ${Math.round(oldestMs / 1_000)} s: no server does it, or those that do are behind`,
        mend: 'Give one server at least the role events (millrace serve --roles api,deliver,events), and where one has it, another as well',
      });
    }
    if (waiting > waitingMax) {
      findings.push({
        severity: 'warning',
        summary: `${waiting} receipts wait for messages that they name by their provider's ids`,
        mend: 'Where a provider reports only ids of its own, set receiptsBy of the route to providerRef: from then on they are kept',
      });
    }
    for (const { route, receipts: count } of await readUnknownReceipts(database)) {
      findings.push({
        severity: 'warning',
        summary: `no message was found for ${count} receipts that came to route ${route} within a day`,
        mend: 'See whether its provider has the receiptsUrl of this route (millrace route show), and whether its receipts name the key that was sent along (receiptsBy: key) or ids of its own (providerRef): docs/receipts.md',
      });
    }
    return orOk(findings, 'every receipt was matched to its message');
  },
};
