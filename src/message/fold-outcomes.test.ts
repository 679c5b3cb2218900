import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bitmapOf, inBitmap, offsetsOf } from './bitmap.ts';
import {
  dueAtOf,
  errorAt,
  foldOutcomes,
  type OutcomeRow,
  providerRefAt,
  timelineOf,
} from './fold-outcomes.ts';
import { type StateNumber, stateNumber, states } from './state.ts';

const at = new Date('2026-01-02T03:04:05.678Z');

function row(more: Partial<OutcomeRow>): OutcomeRow {
  return {
    at,
    dueAt: null,
    state: stateNumber.sent,
    attempt: 1,
    offsets: null,
    errorCode: null,
    details: null,
    providerRefs: null,
    ...more,
  };
}

const count = 20;
const outcome = fc
  .record({
    state: fc.integer({ min: 1, max: states.length - 1 }),
    attempt: fc.integer({ min: 1, max: 30_000 }),
    offsets: fc.option(fc.uniqueArray(fc.nat({ max: count - 1 }), { minLength: 1 })),
    withRefs: fc.boolean(),
    errorCode: fc.option(fc.constantFrom('timeout', 'refused')),
    oneDetail: fc.boolean(),
  })
  .map(({ offsets, withRefs, oneDetail, state, ...fields }) => {
    const held = offsets === null ? offsetsOf(null, count) : [...offsets].sort((a, b) => a - b);
    return row({
      ...fields,
      state: state as StateNumber,
      offsets: offsets === null ? null : bitmapOf(count, offsets),
      details: oneDetail ? ['one for all'] : held.map((offset) => `detail of ${offset}`),
      providerRefs: withRefs
        ? held.map((offset) => (offset % 3 === 0 ? null : `ref ${fields.attempt} ${offset}`))
        : null,
    });
  });

/** The same by the book: one object a message, changed by each row in turn. */
function foldPlainly(rows: OutcomeRow[], offset: number) {
  const message: {
    state: number;
    attempt: number;
    ref?: string;
    error?: { code: string; detail: string | null };
  } = {
    state: stateNumber.queued,
    attempt: 0,
  };
  for (const each of rows) {
    if (!inBitmap(each.offsets, offset)) continue;
    const place = offsetsOf(each.offsets, count).indexOf(offset);
    message.state = each.state;
    message.attempt = each.attempt;
    delete message.error;
    const detail = each.details?.length === 1 ? each.details[0] : each.details?.[place];
    if (each.errorCode !== null) message.error = { code: each.errorCode, detail: detail ?? null };
    const ref = each.providerRefs?.[place];
    if (ref != null) message.ref = ref;
  }
  return message;
}

describe('folding outcomes', () => {
  test('agrees with applying each row to each message', () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 12 }), (rows) => {
        const folded = foldOutcomes(count, rows);
        for (let offset = 0; offset < count; offset++) {
          const plain = foldPlainly(rows, offset);
          expect(folded.state[offset]).toBe(plain.state);
          expect(folded.attempt[offset]).toBe(plain.attempt);
          expect(errorAt(folded, offset)).toEqual(plain.error);
          expect(providerRefAt(folded, offset)).toBe(plain.ref);
        }
      }),
    );
  });

  test('lists in a timeline exactly the rows that hold the message, the last one deciding', () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 12 }), fc.nat({ max: count - 1 }), (rows, offset) => {
        const timeline = timelineOf(rows, offset);
        expect(timeline).toHaveLength(rows.filter((each) => inBitmap(each.offsets, offset)).length);
        const state = states[foldOutcomes(count, rows).state[offset]!];
        expect(timeline.at(-1)?.state ?? 'queued').toBe(state);
      }),
    );
  });

  test('says in a timeline when the next attempt is due', () => {
    const dueAt = new Date(at.getTime() + 5_000);
    const rows = [row({ state: stateNumber.retrying, dueAt }), row({ attempt: 2 })];
    expect(timelineOf(rows, 0)).toEqual([
      { at, state: 'retrying', attempt: 1, dueAt },
      { at, state: 'sent', attempt: 2 },
    ]);
  });

  test('leaves a message queued when nothing is recorded', () => {
    const folded = foldOutcomes(2, []);
    expect([...folded.state]).toEqual([stateNumber.queued, stateNumber.queued]);
    expect(errorAt(folded, 0)).toBeUndefined();
    expect(providerRefAt(folded, 1)).toBeUndefined();
    expect(timelineOf([], 0)).toEqual([]);
  });

  test('keeps the reference of the provider when a receipt without one follows', () => {
    const rows = [
      row({ providerRefs: ['a', 'b'] }),
      row({ state: stateNumber.delivered, offsets: bitmapOf(2, [1]) }),
    ];
    const folded = foldOutcomes(2, rows);
    expect(providerRefAt(folded, 1)).toBe('b');
    expect(folded.state[1]).toBe(stateNumber.delivered);
    expect(folded.state[0]).toBe(stateNumber.sent);
  });

  test('says when a retry is due, and only while it is waited for', () => {
    const waiting = row({ state: stateNumber.retrying, dueAt: at, errorCode: 'rate_limited' });
    expect(dueAtOf(foldOutcomes(1, [waiting]), 0)).toEqual(at);
    expect(dueAtOf(foldOutcomes(1, [waiting, row({ attempt: 2 })]), 0)).toBeUndefined();
    expect(errorAt(foldOutcomes(1, [waiting, row({ attempt: 2 })]), 0)).toBeUndefined();
  });
});
