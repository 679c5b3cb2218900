import { afterEach, beforeEach, expect, test } from 'vitest';
import { httpConnector } from '../../src/connectors/http/http-connector.ts';
import {
  httpAnswer,
  type Script,
  type ScriptedProvider,
  startProvider,
} from '../connectors/scripted-provider.ts';
import { createMill, type Mill, until } from '../delivery/mill.ts';
import { findInDatabase } from '../support/find-in-database.ts';
import { openLive } from './live-events.ts';
import { startApi, type TestApi } from './start-api.ts';

const person = '+31687654321';
/** The forms under which providers and senders write the same number. */
const forms = [person, '31687654321', '87654321', '8765 4321', '8765-4321', '8765_4321'];

let api: TestApi;
let mill: Mill;
let provider: ScriptedProvider;
let script: Script;

beforeEach(async () => {
  provider = await startProvider((...request) => script(...request));
  api = await startApi();
  mill = createMill(api.databaseUrl);
});

afterEach(async () => {
  await mill.close();
  await api.stop();
  await provider.stop();
});

async function deliver(options: Record<string, unknown>): Promise<void> {
  const body = { connector: 'http', url: provider.url, allowPrivate: true, channel: 'sms', ...options };
  expect((await api.call('PUT', '/v1/routes/sms', { body })).status).toBe(201);
  mill.routes.clear();
  for (const route of api.context.control.routes()) mill.routes.set(route.id, route);
}

function start() {
  const worker = mill.worker({ connectors: new Map([['http', httpConnector]]) });
  worker.start();
  return worker;
}

async function upload(lines: readonly unknown[], type = 'application/x-ndjson'): Promise<string> {
  const body = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  const headers = { 'content-type': type };
  const answer = await api.call('POST', '/v1/batches?route=sms', { body, headers });
  expect(answer.status, answer.text).toBe(201);
  return answer.json.id;
}

const countsOf = async (batch: string) => (await api.call('GET', `/v1/batches/${batch}`)).json.counts;

async function erase(): Promise<void> {
  const { status, json } = await api.call('POST', '/v1/recipients/erase', { body: { to: person } });
  expect([status, json.complete]).toEqual([200, true]);
}

const namesPerson = (text: string) => forms.some((form) => text.includes(form));

/** Where the person is found in the database, in whichever form. */
async function placesInDatabase(): Promise<string[]> {
  const found = await Promise.all(forms.map((form) => findInDatabase(api.databaseUrl, form)));
  return [...new Set(found.flat())].sort();
}

/** What every call that reads answers, of these things where it takes one: texts by path. */
async function everythingRead(of: { batches: string[]; messages: string[] }): Promise<Map<string, string>> {
  const { json } = await api.call('GET', '/openapi.json');
  const texts = new Map<string, string>();
  const read = async (path: string) => {
    const { text, status } = await api.call('GET', path);
    texts.set(path, text);
    return status;
  };
  const reading = Object.keys(json.paths).filter((path) => 'get' in json.paths[path]);
  for (const path of reading) {
    if (path === '/v1/live') {
      texts.set(path, await firstEvent());
      continue;
    }
    const [, , resource] = path.split('/');
    const ids = resource === 'batches' ? of.batches : resource === 'messages' ? of.messages : ['1'];
    const paths = path.includes('{') ? ids.map((id) => path.replace(/\{\w+\}/, id)) : [path];
    for (const each of paths) await read(each);
  }
  for (const batch of of.batches) {
    for (const format of ['csv', 'ndjson']) {
      expect(await read(`/v1/batches/${batch}/export?format=${format}`)).toBe(200);
    }
  }
  for (const [name, value] of Object.entries({ to: person, ref: `order of ${person}` })) {
    expect(await read(`/v1/messages?${name}=${encodeURIComponent(value)}`)).toBe(200);
  }
  expect(await read('/v1/events?limit=1000')).toBe(200);
  return texts;
}

/** It does not end by itself. */
async function firstEvent(): Promise<string> {
  const live = await openLive(api.url, { authorization: `Bearer ${api.adminKey}` });
  const event = await live.next();
  live.close();
  return JSON.stringify(event);
}

test('no call that reads tells anything of an erased person, in pages, exports or the change feed', async () => {
  const refusal = { code: `blocked${person}`, error: `31687654321 (${person}) is on the list` };
  script = (socket, { body }) => {
    const { to } = JSON.parse(body);
    socket.write(
      to === person
        ? httpAnswer(422, JSON.stringify(refusal))
        : httpAnswer(200, JSON.stringify({ id: `p-${to}` })),
    );
  };
  await deliver({});
  const batch = await upload([
    { to: '+31612000001', body: 'for another' },
    {
      to: person,
      body: `Hello ${person}`,
      ref: `order of ${person}`,
      metadata: { of: person },
      tags: [person],
    },
    { to: person, orderingKey: person, body: 'in order' },
    { '+31 6 8765 4321': 1, to: '+31612000001' },
    { to: 'tel. +31 6 8765 4321', body: 'refused' },
  ]);
  const csv = await upload(['to,body', `${person},hello`, '06-8765 4321,hello'], 'text/csv');
  const single = await api.call('POST', '/v1/messages', {
    body: [
      { to: person, route: 'sms', body: 'Your code' },
      { to: `${person}x`, route: 'sms', body: 'x' },
    ],
    headers: { 'idempotency-key': 'k' },
  });
  start();
  await until(async () => (await countsOf(batch)).failed === 2 && (await countsOf(csv)).failed === 1);
  const { id } = single.json.messages[0];
  await until(async () => (await api.call('GET', `/v1/messages/${id}`)).json.state === 'failed');
  // The feed shows them once every transaction that began before has ended, those of other tests on this server included.
  await until(async () => namesPerson((await api.call('GET', '/v1/events')).text));
  const { data } = (await api.call('GET', `/v1/batches/${batch}/messages`)).json;
  const of = { batches: [batch, csv], messages: [id, ...data.map((each: { id: string }) => each.id)] };
  const before = await everythingRead(of);
  const naming = (texts: Map<string, string>) =>
    [...texts].filter(([, text]) => namesPerson(text)).map(([path]) => path);
  // What is searched is where a person is told of before.
  for (const path of [
    `/v1/batches/${batch}/messages`,
    `/v1/batches/${batch}/export?format=csv`,
    `/v1/messages/${id}`,
    '/v1/events',
  ]) {
    expect(naming(before)).toContain(path);
  }

  await erase();
  const after = await everythingRead(of);
  expect(after.size).toBe(before.size);
  expect(naming(after)).toEqual([]);
  expect(await placesInDatabase()).toEqual([]);
});

test('what a provider says to a whole request is not kept of a person with the messages of others', async () => {
  let answerPlug = () => {};
  script = (socket, _, n) => {
    const said = { code: 'E31687654321', error: `31687654321 and +31 6 8765-4321 of ${person} are blocked` };
    const answer = (status: number, body: string) => void socket.write(httpAnswer(status, body));
    if (n === 1) answerPlug = () => answer(400, '');
    else answer(400, JSON.stringify(said));
  };
  await deliver({ batch: { max: 10 }, concurrency: 1 });
  await upload([{ to: '+31612000003', body: 'on its way while the others come' }]);
  const worker = start();
  await provider.received(1);
  const others = await upload([
    { to: '+31612000001', body: 'x' },
    { to: '+31612000002', body: 'x' },
  ]);
  const own = await upload([{ to: person, body: 'x' }]);
  await until(() => worker.stats().lanes[0]?.ready === 3);
  answerPlug();
  await until(async () => (await countsOf(others)).failed === 2 && (await countsOf(own)).failed === 1);
  // One request carried both: what is said of it is told of each.
  expect(provider.requests).toHaveLength(2);
  await erase();
  expect(await placesInDatabase()).toEqual([]);
  const { data } = (await api.call('GET', `/v1/batches/${others}/messages`)).json;
  expect(data[0].error).toMatchObject({ code: 'provider_rejected' });
  expect(data[0].error.detail).toContain('HTTP 400');
  expect(data[0].error.detail).toContain('are blocked');
});
