import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { eventually, numbered, startIntake, storedMessages, type TestIntake } from './start-intake.ts';

/** What all connections together send to the database in a second, and what several times of that is offered. */
const bytesPerSecond = 150_000;
const timesOffered = 3;

let way: SlowProxy | undefined;
let api: TestIntake;

async function start({ slow }: { slow: boolean }): Promise<void> {
  api = await startIntake({
    async wayTo(url) {
      if (!slow) return url;
      way = await startSlowProxy(url, bytesPerSecond);
      return way.url;
    },
  });
}

beforeEach(() => {
  way = undefined;
});
afterEach(async () => {
  await api.stop();
  await way?.stop();
});

/** Random, so that nothing becomes smaller on its way to the database. */
function messages(count: number, priority: string, bodyBytes: number) {
  return Array.from({ length: count }, () => ({
    ...{ to: '+31612345678', route: 'r', priority },
    body: randomBytes(bodyBytes).toString('base64'),
  }));
}

type Answer = Awaited<ReturnType<TestIntake['call']>>;

async function refusedByLoad(): Promise<number> {
  const page = await (await fetch(`${api.url}/metrics`)).text();
  return Number(/millrace_intake_refused_total\{reason="overloaded"\} (\d+)/.exec(page)?.[1] ?? 0);
}

test('at three times of what the database takes bulk is refused and told when to come again, interactive never', async () => {
  await start({ slow: true });
  const perRequest = 50;
  const bodyBytes = 300;
  // A quarter of what can be taken is interactive, all the rest is bulk.
  const interactiveEvery = 4 * timesOffered;
  const answers: { interactive: Promise<Answer>[]; bulk: Promise<Answer>[] } = { interactive: [], bulk: [] };
  let refusals = 0;
  let offered = 0;
  const beganAtMs = systemClock.monotonicMs();
  const seconds = () => (systemClock.monotonicMs() - beganAtMs) / 1_000;
  const enough = () => refusals >= 60 && answers.interactive.length >= 12;
  while (!enough() && seconds() < 60) {
    while (offered < seconds() * bytesPerSecond * timesOffered) {
      const count = answers.interactive.length + answers.bulk.length;
      const priority = count % interactiveEvery === 0 ? 'interactive' : 'bulk';
      const body = messages(perRequest, priority, bodyBytes);
      const answer = api.call('POST', '/v1/messages', { body });
      answers[priority].push(answer);
      void answer.then(({ status }) => (refusals += status === 429 ? 1 : 0));
      offered += body.reduce((sum, message) => sum + message.body.length, 0);
    }
    await systemClock.sleep(10);
  }
  const interactive = await Promise.all(answers.interactive);
  const bulk = await Promise.all(answers.bulk);
  expect(way!.heldBack()).toBe(true);
  expect(interactive.map(({ status }) => status)).toEqual(interactive.map(() => 202));
  const refused = bulk.filter(({ status }) => status !== 202);
  expect(refused.length).toBeGreaterThanOrEqual(60);
  for (const { status, json, headers } of refused) {
    expect([status, json.code]).toEqual([429, 'overloaded']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  expect(await refusedByLoad()).toBe(refused.length * perRequest);
  // All that was accepted is there, and nothing else.
  const accepted = [...interactive, ...bulk].filter(({ status }) => status === 202);
  expect(accepted.length).toBeGreaterThan(interactive.length);
  expect(await storedMessages(api.database)).toHaveLength(accepted.length * perRequest);
});

test('while messages wait too long, no upload of bulk begins; what is interactive waits and is taken', async () => {
  await start({ slow: false });
  const blocker = new pg.Client({ connectionString: api.databaseUrl });
  await blocker.connect();
  const lines = { body: numbered(10), headers: { 'content-type': 'application/x-ndjson' } };
  const open = await api.call('POST', '/v1/batches', { body: { route: 'r' } });
  const into = `/v1/batches/${open.json.id}/messages`;
  await blocker.query('BEGIN; LOCK TABLE pending IN EXCLUSIVE MODE');
  const waiting = Array.from({ length: 12 }, () =>
    api.call('POST', '/v1/messages', { body: messages(50, 'interactive', 30) }),
  );
  await eventually(async () => api.context.intake.shedding.isOn);

  for (const path of ['/v1/batches?route=r', into]) {
    const upload = await api.call('POST', path, lines);
    expect([path, upload.status, upload.json.code]).toEqual([path, 429, 'overloaded']);
  }
  const batches = await api.call('GET', '/v1/batches');
  expect(batches.json.data.map(({ id }: { id: string }) => id)).toEqual([open.json.id]);
  const mixed = api.call('POST', '/v1/messages', {
    body: [...messages(2, 'bulk', 30), ...messages(3, 'interactive', 30)],
  });
  const urgent = api.call('POST', '/v1/batches?route=r&priority=interactive', lines);
  const [bulk] = messages(1, 'bulk', 30);
  const keyed = { body: bulk, headers: { 'idempotency-key': 'later' } };
  expect((await api.call('POST', '/v1/messages', keyed)).status).toBe(429);

  await blocker.query('ROLLBACK');
  await blocker.end();
  for (const { status } of await Promise.all(waiting)) expect(status).toBe(202);
  expect((await mixed).json).toMatchObject({
    messages: [{}, {}, {}],
    errors: [0, 1].map((index) => ({ index, code: 'overloaded' })),
  });
  expect((await urgent).json.counts).toMatchObject({ accepted: 10 });
  await eventually(async () => !api.context.intake.shedding.isOn);
  // The key was not used up, and the batch goes on as if nothing had been.
  expect((await api.call('POST', '/v1/messages', keyed)).status).toBe(202);
  expect((await api.call('POST', into, lines)).json.accepted).toBe(10);
});
