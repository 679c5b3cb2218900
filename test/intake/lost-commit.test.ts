import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LostAnswers, loseAnswers } from '../support/lost-answers.ts';
import { numbered, startIntake, storedMessages, type TestIntake } from './start-intake.ts';

/** The answer to a batch's making or closing may be lost as well; everything between is repeated by the server itself. */
const triesMax = 5;

let way: LostAnswers;
let api: TestIntake;
/** Which of the COMMITs, counted from 1, are executed and not answered. */
let chosen: (commit: number) => boolean;
let commits: number;

beforeEach(async () => {
  chosen = () => false;
  commits = 0;
  api = await startIntake({
    async wayTo(url) {
      way = await loseAnswers(url, { chosen: () => chosen(++commits) });
      return way.url;
    },
  });
  // Those of the start are not meant.
  commits = 0;
});

afterEach(async () => {
  chosen = () => false;
  await api.stop();
  await way.stop();
});

/** Accepted and rejected, as they are counted over the shards. */
async function counted(batch: string): Promise<Record<number, number>> {
  const { rows } = await api.database.query<{ state: number; count: number }>(
    {
      name: 'test_counted',
      text: 'SELECT state, sum(count)::int AS count FROM batch_progress WHERE batch = $1 GROUP BY state',
    },
    [batch],
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

test('an upload whose COMMITs are done and not answered takes every line once', async () => {
  chosen = (commit) => commit % 2 === 1;
  const lines = 60_000;
  const body = `${numbered(lines)}not json\n`;
  const send = () =>
    api.call('POST', '/v1/batches?route=r', {
      headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': 'upload' },
      body,
    });
  let answer = await send();
  for (let tries = 1; answer.status === 503 && tries < triesMax; tries++) answer = await send();
  const { status, json } = answer;
  expect(way.lost()).toBeGreaterThan(2);
  expect({ status, counts: json.counts }).toMatchObject({
    status: 201,
    counts: { accepted: lines, rejected: 1 },
  });
  const refs = (await storedMessages(api.database, json.id)).map(({ ref }) => Number(ref));
  expect(refs.sort((a, b) => a - b)).toEqual(Array.from({ length: lines }, (_, n) => n));
  expect(await counted(json.id)).toEqual({ 100: lines, 101: 1 });
});

test.each([1, 2])(
  'a keyed single message of which COMMIT %i is not answered is stored once, under the same id',
  async (lost) => {
    chosen = (commit) => commit === lost;
    const send = () =>
      api.call('POST', '/v1/messages', {
        headers: { 'idempotency-key': 'single' },
        body: { to: '+31612345678', route: 'r', ref: 'once' },
      });
    const answers = [await send(), await send(), await send()];
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(way.lost()).toBe(1);
    const ids = new Set(answers.map(({ json }) => json.messages[0].id));
    const { rows } = await api.database.query<{ id: string }>({
      name: 'test_ids',
      text: 'SELECT id::text FROM chunk',
    });
    expect(rows.map(({ id }) => id)).toEqual([...ids]);
    const pending = await api.database.query({ name: 'test_pending', text: 'SELECT FROM pending' });
    expect(pending.rowCount).toBe(1);
  },
);

test('messages that shared a COMMIT which was not answered are each stored once', async () => {
  chosen = (commit) => commit === 1;
  const refs = Array.from({ length: 20 }, (_, n) => String(n));
  const answers = await Promise.all(
    refs.map((ref) => api.call('POST', '/v1/messages', { body: { to: '+31612345678', route: 'r', ref } })),
  );
  expect(answers.map(({ status }) => status)).toEqual(refs.map(() => 202));
  expect(way.lost()).toBe(1);
  const stored = await storedMessages(api.database);
  expect(stored.map(({ ref }) => ref).sort()).toEqual([...refs].sort());
});

test('what an account is charged for and what is stored stay the same where COMMITs are not answered', async () => {
  const quota = 6_400;
  const account = await api.call('POST', '/v1/accounts', {
    body: { name: 'limited', limits: { messagesPerDay: quota } },
  });
  const made = await api.call('POST', '/v1/keys', { body: { accountId: account.json.id, scopes: ['send'] } });
  const { key } = made.json;
  commits = 0;
  chosen = (commit) => commit % 3 === 1;
  const until = async (path: string, headers: Record<string, string>, body: unknown) => {
    for (let tries = 1; ; tries++) {
      const answer = await api.call('POST', path, { key, headers, body });
      if (answer.status < 500 || tries > triesMax) return answer;
    }
  };
  const requests = Array.from({ length: 30 }, (_, n) => {
    const messages = Array.from({ length: 10 }, () => ({
      to: '+31612345678',
      route: 'r',
      ref: `single ${n}`,
    }));
    return until('/v1/messages', { 'idempotency-key': `single-${n}` }, messages);
  });
  const upload = { 'content-type': 'application/x-ndjson', 'idempotency-key': 'limited upload' };
  const [whole, ...singles] = await Promise.all([
    until('/v1/batches?route=r', upload, numbered(10_000)),
    ...requests,
  ]);
  expect(way.lost()).toBeGreaterThan(2);
  expect([whole!.status, whole!.json.code]).toEqual([429, 'quota_exceeded']);
  const { batchId, nextLine } = whole!.json;
  const refs = (await storedMessages(api.database, batchId)).map(({ ref }) => Number(ref));
  expect(refs).toEqual(Array.from({ length: nextLine - 1 }, (_, n) => n));
  const taken = singles.reduce((sum, { json }) => sum + (json.messages?.length ?? 0), 0);
  expect(taken + refs.length).toBe(quota);
  const { rows } = await api.database.query({
    name: 'test_charged',
    text: `SELECT (SELECT sum(count)::int FROM chunk) AS stored, messages::int AS charged FROM account_meter`,
  });
  expect(rows).toEqual([{ stored: quota, charged: quota }]);
});
