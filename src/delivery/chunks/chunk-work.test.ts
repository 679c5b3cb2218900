import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldOutcomes, type OutcomeRow } from '../../message/fold-outcomes.ts';
import { messageIds } from '../../message/id.ts';
import { isFinal, type StateNumber, stateNumber } from '../../message/state.ts';
import type { OutcomeInsert } from '../../store/delivery/record-outcomes.ts';
import { Lane } from '../backlog/lane.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import { KeySequence } from '../ordering/key-sequence.ts';
import { flushOf } from '../outcomes/flush-of.ts';
import type { MessageOutcome } from '../outcomes/outcome-groups.ts';
import { Tenure } from '../ownership/tenure.ts';
import type { RetryGate } from '../pace/retry-budget.ts';
import { isAtRest } from './at-rest.ts';
import { ChunkWork } from './chunk-work.ts';

const chunkId = '01932c07-a3b0-7005-8000-000000000000';
const at = { nowMs: 0, keepsRefs: () => false, databaseNowMs: (ms: number) => ms };

function chunkOf(count: number): PendingChunk {
  return {
    id: chunkId,
    tenure: new Tenure({ shard: 5, epoch: 7, sinceMs: 0 }),
    lane: new Lane({ accountId: 1, routeId: 1, priority: 1 }, 1),
    batch: 'b',
    count,
    place: 'loaded',
    remaining: null,
    dueAtMs: 0,
    fresh: true,
  };
}

/** Retries are admitted, as on a route that is well. */
const all: RetryGate = { admitRetries: (wanted) => wanted, retriesAgainAtMs: () => 0 };

function workOn(chunk: PendingChunk, rows?: OutcomeRow[]): ChunkWork {
  const work = new ChunkWork(chunk, {
    lines: Array.from({ length: chunk.count }, (_, n) => `{"to":"+3161234${n}"}`),
    test: false,
    defaults: { from: 'Millrace' },
    folded: rows && foldOutcomes(chunk.count, rows),
    nowMs: 0,
    dueAtMs: () => 0,
    onInterrupted: 'resend',
  });
  work.wake(0, all);
  return work;
}

function rowOf(insert: OutcomeInsert): OutcomeRow {
  const { state, attempt, offsets, errorCode, details, providerRefs } = insert;
  return { at: new Date(0), dueAt: null, state, attempt, offsets, errorCode, details, providerRefs };
}

/** What each message's attempts end in; the last is final. */
const fates = fc.array(
  fc.record({ retries: fc.nat(3), ends: fc.constantFrom('sent', 'failed', 'expired') }),
  {
    minLength: 1,
    maxLength: 60,
  },
);

test('however answers and flushes mix, the rows fold to what happened and the counters balance', () => {
  fc.assert(
    fc.property(fates, fc.infiniteStream(fc.nat(9)), (fate, dice) => {
      const chunk = chunkOf(fate.length);
      let work = workOn(chunk);
      const rows: OutcomeInsert[] = [];
      const progress = new Map<StateNumber, number>();
      const inFlight: { offset: number; attempt: number }[] = [];
      const flush = () => {
        const { flush: made, rests } = flushOf(chunk.tenure, [work], at);
        rows.push(...made.outcomes);
        for (const { state, delta } of made.progress) progress.set(state, (progress.get(state) ?? 0) + delta);
        const rest = rests[0];
        if (rest === undefined || rest.finished) return rest !== undefined;
        // All that remains waits: the chunk leaves memory, and comes back from what is recorded.
        chunk.remaining = rest.remaining;
        work = workOn(chunk, rows.map(rowOf));
        return false;
      };
      for (let done = false; !done; ) {
        const die = dice.next().value!;
        if (die < 5 && work.ready > 0) {
          const offset = work.take();
          inFlight.push({ offset, attempt: work.attemptsAt(offset) + 1 });
        } else if (inFlight.length > 0) {
          const { offset, attempt } = inFlight.splice(die % inFlight.length, 1)[0]!;
          work.record(offset, outcomeOf(fate[offset]!, { offset, attempt }));
        } else work.wake(1_000, { ...all, admitRetries: (wanted) => Math.min(wanted, die) });
        if (die >= 8 || isAtRest(work)) done = flush();
      }
      const folded = foldOutcomes(fate.length, rows.map(rowOf));
      fate.forEach(({ retries, ends }, offset) => {
        expect(folded.state[offset]).toBe(stateNumber[ends as 'sent']);
        expect(folded.attempt[offset]).toBe(retries + 1);
      });
      for (const state of [stateNumber.sent, stateNumber.failed, stateNumber.expired] as const) {
        const expected = fate.filter(({ ends }) => stateNumber[ends as 'sent'] === state).length;
        expect(progress.get(state) ?? 0).toBe(expected);
      }
      expect(progress.get(stateNumber.retrying) ?? 0).toBe(0);
      expect(new Set(rows.map(({ seq }) => seq)).size).toBe(rows.length);
      for (const row of rows) if (isFinal(row.state)) checkRefs(row);
    }),
  );
});

function outcomeOf(
  fate: { retries: number; ends: string },
  at: { offset: number; attempt: number },
): MessageOutcome {
  const { offset, attempt } = at;
  const error = { code: 'broke', detail: `message ${offset}` };
  if (attempt <= fate.retries) {
    return { state: stateNumber.retrying, attempt, atMs: 0, error, dueAtMs: 10, notBeforeMs: 0 };
  }
  if (fate.ends === 'sent')
    return { state: stateNumber.sent, attempt, atMs: 0, providerRef: `ref-${offset}` };
  return { state: stateNumber[fate.ends as 'failed'], attempt, atMs: 0, error };
}

/** References and details stand in the order of the offsets. */
function checkRefs(row: OutcomeInsert): void {
  const offsets: number[] = [];
  for (let offset = 0; offset < 60; offset++) {
    if (row.offsets === null ? offset < row.count : ((row.offsets[offset >> 3] ?? 0) >> (offset & 7)) & 1) {
      offsets.push(offset);
    }
  }
  expect(offsets).toHaveLength(row.count);
  if (row.state === stateNumber.sent) {
    expect(row.providerRefs).toEqual(offsets.map((offset) => `ref-${offset}`));
  } else if (row.details?.length !== 1) {
    expect(row.details).toEqual(offsets.map((offset) => `message ${offset}`));
  }
}

test('messages carry their ids and the defaults of their batch, under their own fields', () => {
  const chunk = chunkOf(3);
  const work = workOn(chunk);
  const offsets = [work.take(), work.take(), work.take()];
  expect(offsets).toEqual([0, 1, 2]);
  expect(offsets.map((offset) => work.idAt(offset))).toEqual(messageIds(chunkId, 3));
  expect(work.fieldsAt(1)).toEqual({ to: '+31612341', from: 'Millrace' });
});

test('a chunk that was handed back is never taken for finished', () => {
  const chunk = chunkOf(2);
  const work = workOn(chunk);
  const offset = work.take();
  work.giveBack(work.take());
  work.record(offset, { state: stateNumber.sent, attempt: 1, atMs: 0 });
  expect(isAtRest(work)).toBe(false);
  expect(flushOf(chunk.tenure, [work], at).flush.finished).toEqual([]);
});

test('a message that was replayed since the chunk came to rest is sent by whoever loads the chunk next', () => {
  const chunk = chunkOf(2);
  // It rested with its second message canceled; that one was replayed while the first waited, and the owner died.
  chunk.remaining = new Uint8Array([0b01]);
  const none = { at: new Date(0), dueAt: null, errorCode: null, details: null, providerRefs: null };
  const second = { ...none, attempt: 0, offsets: new Uint8Array([0b10]) };
  const work = workOn(chunk, [
    { ...second, state: stateNumber.canceled },
    { ...second, state: stateNumber.queued },
  ]);
  expect([work.unsettled, work.ready]).toEqual([2, 2]);
});

test('a chunk with ordering keys is finished with its last outcome, whoever was waiting for the one before', () => {
  const chunk = chunkOf(2);
  chunk.order = new KeySequence(1).add(chunk, { keys: Int32Array.of(7, 7), remaining: null });
  const work = workOn(chunk);
  work.record(work.take(), { state: stateNumber.sent, attempt: 1, atMs: 0 });
  work.decide({ kind: 'cancel', offsets: null }, { nowMs: 0, databaseNowMs: 0 });
  expect(flushOf(chunk.tenure, [work], at).flush).toMatchObject({ finished: [chunkId] });
});

test('a request that changes nothing of a chunk that is done deletes nothing: it would again if it came late', () => {
  const sent = { ...{ at: new Date(0), dueAt: null, state: stateNumber.sent, attempt: 1 }, offsets: null };
  const chunk = chunkOf(2);
  const work = workOn(chunk, [{ ...sent, errorCode: null, details: null, providerRefs: null }]);
  work.park();
  work.decide({ kind: 'cancel', offsets: null }, { nowMs: 0, databaseNowMs: 0 });
  work.answered.push('r');
  const { flush, rests } = flushOf(chunk.tenure, [work], at);
  expect(flush).toMatchObject({ outcomes: [], finished: [], waiting: [], renewed: [], answered: ['r'] });
  expect(rests).toMatchObject([{ finished: true }]);
});

test('a request that changes nothing of a chunk that is pending puts nothing back: it may be done when this comes late', () => {
  const chunk = chunkOf(2);
  const work = workOn(chunk);
  work.park();
  work.decide(
    { kind: 'resolve', offsets: null, outcome: { state: stateNumber.sent } },
    { nowMs: 0, databaseNowMs: 0 },
  );
  work.answered.push('r');
  const { flush } = flushOf(chunk.tenure, [work], at);
  expect(flush).toMatchObject({ outcomes: [], finished: [], renewed: [], answered: ['r'] });
  expect(flush.waiting).toEqual([{ chunkId, remaining: null, dueInMs: 0, putOffBy: null }]);
});
