import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Answer, Connector, OutgoingMessage } from '../../src/connectors/connector.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertChunk, type Mill, pendingCount, testRoute, until } from './mill.ts';

const hourMs = 3_600_000;
const asking = 'https://one.example/asking';
const calm = 'https://one.example/calm';
let mill: Mill;

/** Each message goes to its own endpoint, one at a time. */
const connector: Connector = {
  name: 'test',
  onUncertainDefault: 'resend',
  manyEndpoints: true,
  optionSchemas: {},
  check: () => [],
  open: () => ({
    batchMax: 1,
    async send(messages) {
      mill.received.push(...messages);
      return Promise.all(messages.map((message) => mill.respond(message)));
    },
    rehearse: () => ({ kind: 'sent' }),
    close: async () => {},
  }),
};

beforeEach(async () => {
  mill = createMill((await createTestDatabase()).url);
  const destinations = [{ match: '*', concurrency: 1 }];
  mill.routes.set(1, { ...testRoute, channel: 'webhook', concurrency: 1, destinations });
});

afterEach(async () => {
  await mill.close();
});

const start = () => mill.worker({ connectors: new Map([['test', connector]]) }).start();

async function insert(accountId: number, recipients: string[]): Promise<void> {
  const lines = recipients.map((to, n) => JSON.stringify({ to, body: 'x', ref: String(n) }));
  await insertChunk(mill.database, { accountId, lines });
}

const busy = (retryAfterMs: number): Answer => ({
  ...{ kind: 'retry', error: { code: 'rate_limited', detail: 'HTTP 429' } },
  retryAfterMs,
});

const receivedOf = (accountId: number, to: string) =>
  mill.received.filter((message) => message.accountId === accountId && message.fields.to === to);

test('an endpoint that asks for time gets no other message of its account; its host and other accounts go on', async () => {
  mill.respond = ({ accountId, fields }: OutgoingMessage) =>
    accountId === 1 && fields.to === asking ? busy(hourMs) : { kind: 'sent' };
  await insert(1, [...Array<string>(30).fill(asking), ...Array<string>(30).fill(calm)]);
  start();
  await until(() => receivedOf(1, calm).length === 30);
  await insert(2, Array<string>(30).fill(asking));
  await insert(1, [asking, calm]);
  await until(() => receivedOf(2, asking).length === 30 && receivedOf(1, calm).length === 31);
  expect(receivedOf(1, asking)).toHaveLength(1);
  // What waits is kept, and nothing happened to it but to the one that was sent.
  await until(async () => (await pendingCount(mill.database)) === 2);
  const { rows } = await mill.database.query<{ count: number }>({
    name: 'test_retrying',
    text: `SELECT coalesce(sum(count), 0)::int AS count FROM outcome WHERE error_code = 'rate_limited'`,
  });
  expect(rows[0]!.count).toBeLessThanOrEqual(1);
});

test('when its time is over it gets them all, in their order, as first attempts', async () => {
  let endsAtMs = 0;
  const early: string[] = [];
  mill.respond = ({ fields }: OutgoingMessage) => {
    if (endsAtMs === 0) {
      endsAtMs = performance.now() + 1_000;
      return busy(1_000);
    }
    // Clocks of different grain.
    if (performance.now() < endsAtMs - 5) early.push(fields.ref!);
    return { kind: 'sent' };
  };
  await insert(1, Array<string>(40).fill(asking));
  start();
  await until(async () => endsAtMs > 0 && (await pendingCount(mill.database)) === 0);
  expect(early).toEqual([]);
  const [refused, ...others] = mill.received;
  expect(refused!.fields.ref).toBe('0');
  const firsts = others.filter(({ fields }) => fields.ref !== '0');
  expect(firsts.map(({ fields }) => fields.ref)).toEqual(Array.from({ length: 39 }, (_, n) => String(n + 1)));
  expect(firsts.every(({ attempt }) => attempt === 1)).toBe(true);
  expect(others.filter(({ fields }) => fields.ref === '0').map(({ attempt }) => attempt)).toEqual([2]);
});

test('one that never answers keeps nothing from the other endpoints of its account, however much waits for it', async () => {
  const hanging = 'https://one.example/hanging';
  const unanswered: Answer = {
    ...{ kind: 'uncertain', error: { code: 'provider_timeout', detail: 'no answer' } },
  };
  mill.respond = ({ fields }: OutgoingMessage) =>
    fields.to === hanging ? sleep(20).then(() => unanswered) : { kind: 'sent' };
  // More than one lane keeps in memory for its destinations.
  for (let chunk = 0; chunk < 12; chunk++) await insert(1, Array<string>(1_000).fill(hanging));
  start();
  await until(() => receivedOf(1, hanging).length > 0);
  await insert(1, Array<string>(30).fill(calm));
  await until(() => receivedOf(1, calm).length === 30);
  // Ten in a row, and a probe now and then.
  expect(receivedOf(1, hanging).length).toBeLessThan(20);
  mill.respond = () => ({ kind: 'sent' });
  await until(async () => (await pendingCount(mill.database)) === 0);
  expect(new Set(receivedOf(1, hanging).map(({ id }) => id)).size).toBe(12_000);
});
