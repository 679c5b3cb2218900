import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Answer, OutgoingMessage } from '../../src/connectors/connector.ts';
import { createMill, type Mill, testRoute, until } from '../delivery/mill.ts';
import { findInDatabase } from '../support/find-in-database.ts';
import { startApi, type TestApi } from './start-api.ts';

const person = '+31687654321';
const erase = '/v1/recipients/erase';

let api: TestApi;
let mill: Mill;
let release: () => void;

beforeEach(async () => {
  api = await startApi();
  await api.call('PUT', '/v1/routes/sms', {
    body: { connector: 'http', url: 'https://provider.example/', channel: 'sms' },
  });
  mill = createMill(api.databaseUrl);
  mill.routes.clear();
  for (const { id } of api.context.control.routes()) mill.routes.set(id, { ...testRoute, id });
});

afterEach(async () => {
  release?.();
  await mill.close();
  await api.stop();
});

function linesWith(count: number, at: readonly number[]): string {
  const line = (n: number) => {
    const to = at.includes(n) ? person : `+3161200${String(n).padStart(4, '0')}`;
    return JSON.stringify({ to, body: `Code ${n} for ${to}`, ref: `ref-${n}-${to}` });
  };
  return Array.from({ length: count }, (_, n) => line(n)).join('\n');
}

async function upload(body: string, key?: string): Promise<string> {
  const headers = { 'content-type': 'application/x-ndjson' };
  const answer = await api.call('POST', '/v1/batches?route=sms', { body, headers, ...(key && { key }) });
  expect(answer.status).toBe(201);
  return answer.json.id;
}

async function countsOf(batch: string) {
  return (await api.call('GET', `/v1/batches/${batch}`)).json.counts;
}

const sentToPerson = () => mill.received.filter(({ fields }) => fields.to === person);

/** The provider holds every answer back until `release` is called. */
function holdAnswers(answer: (message: OutgoingMessage) => Answer): void {
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  mill.respond = (message) => released.then(() => answer(message));
}

test('no byte of an erased person is left in any table, and nobody else loses a message', async () => {
  mill.respond = ({ fields }) =>
    fields.to === person
      ? { kind: 'rejected', error: { code: 'blocked', detail: `the number ${fields.to} is blocked` } }
      : { kind: 'sent', providerRef: `provider-${fields.to}` };
  mill.worker().start();
  const batch = await upload(linesWith(200, [3, 150]));
  const small = await upload(`${linesWith(5, [1])}\n{"${person}":1,"to":"+31612345678"}`);
  const headers = { 'idempotency-key': 'single-1' };
  const single = { to: person, route: 'sms', body: 'Your code', ref: `order of ${person}` };
  const sent = await api.call('POST', '/v1/messages', { body: single, headers });
  await until(async () => (await countsOf(batch)).sent === 198 && (await countsOf(small)).sent === 4);
  await until(
    async () => (await api.call('GET', `/v1/messages/${sent.json.messages[0].id}`)).json.state === 'failed',
  );
  expect(await findInDatabase(api.databaseUrl, person)).toEqual([
    ...['chunk.payload', 'idempotency.answer', 'outcome.details'],
  ]);

  const answer = await api.call('POST', erase, { body: { to: person } });
  expect([answer.status, answer.json]).toEqual([
    200,
    { messages: 4, answers: 1, suppressed: false, complete: true },
  ]);
  expect(await findInDatabase(api.databaseUrl, person)).toEqual([]);
  expect(await findInDatabase(api.databaseUrl, '87654321')).toEqual([]);

  expect((await api.call('GET', `/v1/messages?to=${encodeURIComponent(person)}`)).json.data).toEqual([]);
  const ref = encodeURIComponent(single.ref);
  expect((await api.call('GET', `/v1/messages?ref=${ref}`)).json.data).toEqual([]);
  const shown = (await api.call('GET', `/v1/messages/${sent.json.messages[0].id}`)).json;
  expect(shown).toMatchObject({ to: '', body: null, ref: null, erased: true, state: 'failed' });
  expect(shown.error).toEqual({ code: 'blocked', detail: null });
  const replayed = await api.call('POST', '/v1/messages', { body: single, headers });
  expect(replayed.json.messages).toEqual([{ ...sent.json.messages[0], to: '' }]);

  const exported = (await api.call('GET', `/v1/batches/${batch}/export`)).text;
  expect(exported).not.toContain(person);
  const lines = exported
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.at(-1).trailer.count).toBe(200);
  const others = lines.filter((line) => line.to);
  expect(others).toHaveLength(198);
  for (const { to, body, ref, providerRef } of others) {
    const number = Number(to.slice(8));
    expect([body, ref, providerRef]).toEqual([
      `Code ${number} for ${to}`,
      `ref-${number}-${to}`,
      `provider-${to}`,
    ]);
  }
  const neighbour = encodeURIComponent('+31612000004');
  expect((await api.call('GET', `/v1/messages?to=${neighbour}`)).json.data).toHaveLength(2);
});

test('what waits in memory is not sent any more, and what is on its way is waited for', async () => {
  holdAnswers(() => ({ kind: 'retry', error: { code: 'busy', detail: `busy with ${person}` } }));
  mill.worker().start();
  // The first of the two is among those on their way; the other waits behind them, loaded.
  const batch = await upload(linesWith(60, [2, 40]));
  await until(() => sentToPerson().length === 1);
  const erased = api.call('POST', erase, { body: { to: person } });
  await until(async () => (await countsOf(batch)).canceled === 1);
  mill.respond = () => ({ kind: 'sent' });
  release();
  expect((await erased).json).toEqual({ messages: 2, answers: 0, suppressed: false, complete: true });
  await until(async () => (await countsOf(batch)).sent === 58);
  expect((await countsOf(batch)).canceled).toBe(2);
  expect(sentToPerson()).toHaveLength(1);
  expect(await findInDatabase(api.databaseUrl, person)).toEqual([]);
});

test('with no worker running the call waits for one, which cancels without ever sending', async () => {
  const batch = await upload(linesWith(30, [7]));
  const erased = api.call('POST', erase, { body: { to: person } });
  await until(async () => (await findInDatabase(api.databaseUrl, person)).length === 0);
  mill.worker().start();
  expect((await erased).json).toEqual({ messages: 1, answers: 0, suppressed: false, complete: true });
  await until(async () => (await countsOf(batch)).sent === 29);
  expect((await countsOf(batch)).canceled).toBe(1);
  expect(sentToPerson()).toEqual([]);
});

test('an erased message that is replayed is canceled again', async () => {
  mill.respond = ({ fields }) =>
    fields.to === person
      ? { kind: 'rejected', error: { code: 'blocked', detail: 'blocked' } }
      : { kind: 'sent' };
  mill.worker().start();
  const batch = await upload(linesWith(3, [1]));
  await until(async () => (await countsOf(batch)).failed === 1);
  await api.call('POST', erase, { body: { to: person } });
  const before = mill.received.length;
  const { id } = (await api.call('GET', `/v1/batches/${batch}/messages?state=failed`)).json.data[0];
  expect((await api.call('POST', `/v1/messages/${id}/replay`)).status).toBe(200);
  const shown = async () => (await api.call('GET', `/v1/messages/${id}`)).json;
  await until(async () => (await shown()).state === 'canceled');
  expect((await shown()).timeline.map(({ state }: { state: string }) => state)).toEqual([
    ...['queued', 'failed', 'queued', 'canceled'],
  ]);
  expect(mill.received).toHaveLength(before);
});

test('an account erases its own, an administrator any, and what is no recipient is refused', async () => {
  mill.worker().start();
  const one = await api.makeAccount('One', ['send', 'read', 'manage']);
  const two = await api.makeAccount('Two', ['send', 'read']);
  for (const { key } of [one, two]) await upload(linesWith(2, [1]), key);
  const call = (key: string | undefined, body: unknown) =>
    api.call('POST', erase, { body, ...(key !== undefined && { key }) });
  expect((await call(two.key, { to: person })).status).toBe(403);
  expect((await call(one.key, { to: person, accountId: two.id })).status).toBe(403);
  expect((await call(one.key, { to: person })).json.messages).toBe(1);
  const found = await api.call('GET', `/v1/messages?to=${encodeURIComponent(person)}`, { key: two.key });
  expect(found.json.data).toHaveLength(1);
  expect((await call(undefined, { to: person, accountId: two.id })).json.messages).toBe(1);
  for (const body of [
    {},
    { to: '' },
    { to: 'nobody' },
    { to: person, accountId: '999' },
    { to: person, x: 1 },
  ]) {
    expect((await call(undefined, body)).status, JSON.stringify(body)).toBe(422);
  }
});
