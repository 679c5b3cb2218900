import { type Data, makeData } from '../data.ts';
import { type Figure, type FigureContext, ratios, sized } from '../figure.ts';
import { checkLedger } from '../ledger.ts';
import { type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';

const drainTimeoutMs = 1_200_000;
/** Recipients of one request. */
const entriesMax = 1_000;

export const suppressions: Figure = {
  name: 'suppressions',
  title: 'Delivery beside a list of suppressed recipients: of the account that sends, and of another one',
  needs: [],
  async run(context) {
    const count = sized(context, { full: Math.min(context.messages, 1_000_000), short: 10_000 });
    const listed = sized(context, { full: 1_000_000, short: 5_000 });
    const data = await makeData({ dir: context.dataDir, count });
    const database = await context.server.create('bench_millrace');
    const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
    const [none, others, own]: number[][] = [[], [], []];
    try {
      for (let run = 0; run < context.runs; run++) none!.push(await flood(context, { millrace, data }));
      const { id: accountId } = await millrace.call<{ id: string }>('POST', '/v1/accounts', {
        body: { name: 'another' },
      });
      const { key } = await millrace.call<{ key: string }>('POST', '/v1/keys', {
        body: { accountId, scopes: ['manage'] },
      });
      await suppress(millrace, { listed, key });
      for (let run = 0; run < context.runs; run++) others!.push(await flood(context, { millrace, data }));
      const addedMs = await suppress(millrace, { listed });
      for (let run = 0; run < context.runs; run++) own!.push(await flood(context, { millrace, data }));
      return {
        measurements: [
          { name: 'delivered without any list', unit: 'messages/s', values: none! },
          { name: 'delivered beside a list of another account', unit: 'messages/s', values: others! },
          { name: 'delivered by an account with a list', unit: 'messages/s', values: own! },
          { name: "another's list / none", unit: '', values: ratios(others!, none!) },
          { name: 'own list / none', unit: '', values: ratios(own!, none!) },
          { name: 'added to the list', unit: 'recipients/s', values: [listed / (addedMs / 1_000)] },
        ],
        notes: [
          `${count} messages of 128 bytes, from the closing of a waiting batch to the last recorded outcome, 500 a POST; the ledger must show each once.`,
          `The lists have ${listed} numbers; none of the recipients is on them, so that as much is sent as without.`,
          'The three follow each other on one database: the later ones find it larger.',
        ],
      };
    } finally {
      await millrace.stop();
      await database.drop();
    }
  },
};

async function flood(
  context: FigureContext,
  { millrace, data }: { millrace: Millrace; data: Data },
): Promise<number> {
  const sink = await startSink();
  try {
    await putBatchedRoute(millrace, sink.url);
    const batch = await millrace.uploadOpen(floodRoute, data.ndjson);
    await context.server.checkpoint();
    const startedMs = performance.now();
    await millrace.closeBatch(batch.id);
    await millrace.waitSent(batch.id, drainTimeoutMs);
    const perSecond = data.count / ((performance.now() - startedMs) / 1_000);
    await checkLedger(sink.url, data.count);
    context.say(`${Math.round(perSecond)}/s`);
    return perSecond;
  } finally {
    await sink.stop();
  }
}

/** Numbers that no generated message goes to; the answer is how long it took. */
async function suppress(
  millrace: Millrace,
  { listed, key }: { listed: number; key?: string },
): Promise<number> {
  const startedMs = performance.now();
  for (let from = 0; from < listed; from += entriesMax) {
    const body = Array.from({ length: Math.min(entriesMax, listed - from) }, (_, n) => ({
      to: `+99${100_000_000 + from + n}`,
      channel: 'sms',
    }));
    await millrace.call('POST', '/v1/suppressions', { body, ...(key !== undefined && { key }) });
  }
  return performance.now() - startedMs;
}
