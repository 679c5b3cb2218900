import { expect, test } from 'vitest';
import type { Clock } from '../../src/lib/clock.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { IdRange, OutboxSession, StagedRead } from '../../src/outbox/outbox-session.ts';
import { readAllEveryMs, StagedReader, settleEveryMs } from '../../src/outbox/staged-reader.ts';

/** A session of whose database the test says what is in it; a reader asks for nothing else. */
function scripted() {
  const asked: StagedRead[] = [];
  const state = { ids: [] as number[], ended: false };
  const session = {
    async readStaged(where: StagedRead) {
      asked.push(where);
      const inGap = (id: number) => where.gaps.some(([first, last]) => first <= id && id <= last);
      return state.ids
        .filter((id) => id > where.after || inGap(id))
        .sort((a, b) => a - b)
        .slice(0, where.limit)
        .map((id) => ({ id, bytes: 10 }));
    },
    moment: async () => 'now',
    haveEnded: async (_since: string, _gaps: readonly IdRange[]) => state.ended,
  } as Partial<OutboxSession> as OutboxSession;
  let nowMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  const reader = new StagedReader(session, clock);
  const take = async (limit = 10) => {
    const ids = (await reader.read(limit)).map(({ id }) => id);
    state.ids = state.ids.filter((id) => !ids.includes(id));
    reader.taken(ids, undefined);
    return ids;
  };
  return { state, asked, reader, take, pass: (ms: number) => (nowMs += ms) };
}

test('a gap is asked for until its transactions have ended, and its rows were read after that', async () => {
  const { state, asked, take, pass } = scripted();
  state.ids = [3];
  await take();
  for (let step = 0; step < 3; step++) {
    pass(settleEveryMs);
    await take();
  }
  expect(asked.at(-1)!.gaps).toEqual([[1, 2]]);
  // It committed just before it was found to have ended.
  state.ended = true;
  state.ids = [2];
  pass(settleEveryMs);
  expect(await take()).toEqual([2]);
  await take();
  expect(asked.at(-1)).toMatchObject({ after: 3, gaps: [] });
});

test('a gap is not forgotten by a read that did not reach its end', async () => {
  const { state, asked, take, pass } = scripted();
  state.ids = [10];
  await take();
  state.ended = true;
  for (let step = 0; step < 2; step++) {
    pass(settleEveryMs);
    await take();
  }
  pass(settleEveryMs);
  state.ids = [2, 5, 7];
  expect(await take(2)).toEqual([2, 5]);
  expect(await take(2)).toEqual([7]);
  await take();
  expect(asked.at(-1)).toMatchObject({ after: 10, gaps: [] });
});

test('what was read and not taken is read again', async () => {
  const { state, reader } = scripted();
  state.ids = [1, 2, 3];
  expect(await reader.read(10)).toHaveLength(3);
  reader.taken([1], 2);
  expect((await reader.read(10)).map(({ id }) => id)).toEqual([1, 2, 3].slice(1));
});

test('a row behind all that was read is found once all is read', async () => {
  const { state, take, pass } = scripted();
  state.ids = [1, 2, 3];
  await take();
  state.ids = [2];
  expect(await take()).toEqual([]);
  pass(readAllEveryMs);
  expect(await take()).toEqual([2]);
});
