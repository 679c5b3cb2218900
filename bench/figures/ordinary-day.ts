import { setTimeout as delay } from 'node:timers/promises';
import { type GeneratedMessage, generate } from '../data.ts';
import { type Figure, type FigureContext, type Measurement, ratios, sized } from '../figure.ts';
import { checkLedger } from '../ledger.ts';
import { type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putSingleRoute } from '../routes.ts';
import { createRowTable } from '../row-table.ts';
import { shortDay } from '../short-day.ts';
import { percentile } from '../statistics.ts';

const perSecond = 300;
const fullAccounts = 50;
const deliveredTimeoutMs = 30_000;

interface Day {
  walBytes: number;
  databaseBytes: number;
  answerMs: number[];
  /** Where the bytes are, for whoever wants fewer. */
  tables: { name: string; bytes: number }[];
}

export const ordinaryDay: Figure = {
  name: 'ordinary-day',
  title: 'The ordinary day: 300 single messages a second from 50 accounts, against the row table',
  needs: [],
  async run(context) {
    const count = perSecond * sized(context, { full: 60, short: 1 });
    const messages = [...generate(count)];
    const rows = await insertRows(context, messages);
    const accepted = await postMessages({ context, messages, args: ['--roles', 'api'] });
    const delivered = await postMessages({ context, messages, args: [] });
    const target = { reach: 1.5, better: 'lower' } as const;
    return {
      measurements: [
        {
          name: 'WAL, accepted / rows',
          unit: '',
          values: ratios([accepted.walBytes], [rows.walBytes]),
          target,
        },
        {
          name: 'database, accepted / rows',
          unit: '',
          values: ratios([accepted.databaseBytes], [rows.databaseBytes]),
          target,
        },
        {
          name: 'WAL, delivered too / rows',
          unit: '',
          values: ratios([delivered.walBytes], [rows.walBytes]),
        },
        {
          name: 'database, delivered too / rows',
          unit: '',
          values: ratios([delivered.databaseBytes], [rows.databaseBytes]),
        },
        ...describe({ side: 'row table', day: rows, count }),
        ...describe({ side: 'Millrace, accepted', day: accepted, count }),
        ...describe({ side: 'Millrace, delivered too', day: delivered, count }),
      ],
      notes: [
        `${count} messages, evenly spaced. Rows: one INSERT, one transaction each. Accepted: by a server with the role api alone.`,
        'Delivered too: posted singly to the simulated provider, outcomes, heartbeats and all; the row table records none of that.',
        `Bytes per message, delivered too, by table: ${describeTables(delivered, count)}.`,
      ],
    };
  },
};

async function insertRows(context: FigureContext, messages: GeneratedMessage[]): Promise<Day> {
  const database = await context.server.create('bench_rows');
  try {
    await createRowTable(database);
    const meter = await database.startMeter();
    const answerMs = await pace(messages, async ({ id, to, body, ref }, account) => {
      await database.query('INSERT INTO message VALUES ($1, $2, $3, $4, $5)', [
        id,
        account + 1,
        to,
        body,
        ref,
      ]);
    });
    return { ...(await meter.read()), answerMs, tables: await database.largestTables() };
  } finally {
    await database.drop();
  }
}

async function postMessages(options: {
  context: FigureContext;
  messages: GeneratedMessage[];
  args: string[];
}): Promise<Day> {
  const { context, messages, args } = options;
  const database = await context.server.create('bench_millrace');
  const sink = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir, args });
  try {
    await putSingleRoute(millrace, { url: sink.url });
    const accounts = context.short ? shortDay.accounts : fullAccounts;
    const accountKeys = await createAccounts(millrace, accounts);
    const meter = await database.startMeter();
    const answerMs = await pace(messages, async ({ to, body, ref }, account) => {
      const message = { to, body, ref, route: floodRoute };
      await millrace.call('POST', '/v1/messages', { body: message, key: accountKeys[account % accounts]! });
    });
    if (args.length === 0) await waitLedger(sink.url, messages.length);
    return { ...(await meter.read()), answerMs, tables: await database.largestTables() };
  } finally {
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}

async function createAccounts(millrace: Millrace, accounts: number): Promise<string[]> {
  const made: string[] = [];
  for (let number = 1; number <= accounts; number++) {
    const account = await millrace.call<{ id: string }>('POST', '/v1/accounts', {
      body: { name: `shop ${number}` },
    });
    const body = { accountId: account.id, scopes: ['send', 'read'] };
    made.push((await millrace.call<{ key: string }>('POST', '/v1/keys', { body })).key);
  }
  return made;
}

/** Sends each message at its time, whatever became of the ones before; the milliseconds of every answer. */
async function pace(
  messages: GeneratedMessage[],
  send: (message: GeneratedMessage, account: number) => Promise<void>,
): Promise<number[]> {
  const startedMs = performance.now();
  const answers: Promise<number>[] = [];
  for (const [index, message] of messages.entries()) {
    const aheadMs = startedMs + (index * 1_000) / perSecond - performance.now();
    if (aheadMs > 1) await delay(aheadMs);
    const sentMs = performance.now();
    answers.push(send(message, index % fullAccounts).then(() => performance.now() - sentMs));
  }
  return await Promise.all(answers);
}

async function waitLedger(sinkUrl: string, expected: number): Promise<void> {
  const deadlineMs = performance.now() + deliveredTimeoutMs;
  for (;;) {
    const counted = await checkLedger(sinkUrl, expected).then(
      () => undefined,
      (error: Error) => error,
    );
    if (counted === undefined) break;
    if (performance.now() > deadlineMs) throw counted;
    await delay(100);
  }
  // The provider's answer to the last message still has to be recorded.
  await delay(1_000);
}

function describeTables({ tables }: Day, count: number): string {
  return tables.map(({ name, bytes }) => `${name} ${Math.round(bytes / count)}`).join(', ');
}

function describe({ side, day, count }: { side: string; day: Day; count: number }): Measurement[] {
  return [
    { name: `${side}: WAL`, unit: 'bytes/message', values: [day.walBytes / count] },
    { name: `${side}: database`, unit: 'bytes/message', values: [day.databaseBytes / count] },
    { name: `${side}: answered, p99`, unit: 'ms', values: [percentile(day.answerMs, 0.99)] },
  ];
}
