import { afterEach, beforeEach, expect, test } from 'vitest';
import { stateNumber } from '../../src/message/state.ts';
import { type Database, DatabaseError, openDatabase } from '../../src/store/database.ts';
import { claimShards } from '../../src/store/delivery/claim-shards.ts';
import { loadOutcomes } from '../../src/store/delivery/load-chunks.ts';
import { type OutcomeFlush, recordOutcomes } from '../../src/store/delivery/record-outcomes.ts';
import { commits, type LostAnswers, loseAnswers, type Unheard } from '../support/lost-answers.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createMill, insertBatch, insertChunk, newId, pendingCount, progressOf, until } from './mill.ts';

const shard = 9;
/** Of all answers to a COMMIT, the share that gets lost is one in so many. */
const lostEvery = 3;

let url: string;
let database: Database;
let way: LostAnswers | undefined;

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  database = openDatabase({ url, poolSize: 3, name: 'lost commit test' });
});

afterEach(async () => {
  await way?.stop();
  await database.close();
});

function flushOf(chunkId: string, batch: string | null): OutcomeFlush {
  const row = { errorCode: null, details: null, providerRefs: null, agoMs: 0, dueInMs: null, offsets: null };
  const sent = {
    accountId: 1,
    chunkId,
    batch,
    seq: '4294967296',
    state: stateNumber.sent,
    attempt: 1,
    count: 4,
  };
  return {
    ...{ shard, epoch: 1, finished: [chunkId], waiting: [], renewed: [], answered: [] },
    outcomes: [{ ...row, ...sent }],
    progress: batch === null ? [] : [{ batch, state: stateNumber.sent, delta: 4 }],
  };
}

/** It is prepared under its name, and answers with the row of the fence. */
const atOnce: Unheard = {
  isSent: (sent) => sent.includes('record_at_once'),
  isAnswered: (answered) => answered.includes('SELECT 1\0'),
};

test.each([
  ['of a batch, whose COMMIT is a statement of its own', true, commits],
  ['without a batch, which is one statement', false, atOnce],
])(
  'a flush whose COMMIT was done and not answered counts once when it is repeated (%s)',
  async (_, inBatch, unheard) => {
    await claimShards(database, { workerId: newId(1), free: [{ shard, epoch: 0 }] });
    const batch = inBatch ? await insertBatch(database, { accepted: 4 }) : null;
    const chunkId = await insertChunk(database, { shard, count: 4, batch });
    const flush = flushOf(chunkId, batch);
    way = await loseAnswers(url, { unheard, chosen: () => way!.lost() === 0 });
    const cut = openDatabase({ url: way.url, poolSize: 1, name: 'cut' });
    const error: unknown = await recordOutcomes(cut, flush).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DatabaseError);
    expect((error as DatabaseError).fault).toMatchObject({ connectionLost: true, ambiguous: inBatch });
    expect(await loadOutcomes(database, { ids: [chunkId] })).toHaveLength(1);
    expect(await recordOutcomes(cut, flush)).toBe(true);
    expect(way.lost()).toBe(1);
    expect(await loadOutcomes(database, { ids: [chunkId] })).toHaveLength(1);
    expect(await pendingCount(database)).toBe(0);
    if (batch !== null) expect(await progressOf(database, batch)).toEqual({ 100: 4, 3: 4 });
    await cut.close();
  },
);

test('a worker that loses every third answer to its COMMITs delivers and counts every message once', async () => {
  let commit = 0;
  way = await loseAnswers(url, { chosen: () => ++commit % lostEvery === 0 });
  const mill = createMill(way.url, { batchMax: 10 });
  const batch = await insertBatch(database, { accepted: 600 });
  for (let n = 0; n < 20; n++) await insertChunk(database, { batch, count: 30 });
  mill.respond = ({ attempt, id }) =>
    attempt === 1 && id.endsWith('3')
      ? { kind: 'retry', error: { code: 'busy', detail: 'later' } }
      : { kind: 'sent', providerRef: id };
  mill.worker().start();
  await until(async () => (await pendingCount(database)) === 0, 50_000);
  expect(way.lost()).toBeGreaterThan(3);
  const sent = mill.received.filter(({ attempt, id }) => attempt > 1 || !id.endsWith('3'));
  expect(sent).toHaveLength(600);
  expect(new Set(sent.map(({ id }) => id)).size).toBe(600);
  const { 2: retrying = 0, ...counted } = await progressOf(database, batch);
  expect({ retrying, counted }).toEqual({ retrying: 0, counted: { 100: 600, 3: 600 } });
  await mill.close();
});
