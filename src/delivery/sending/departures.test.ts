import { beforeEach, expect, test } from 'vitest';
import type { Answer, Sender } from '../../connectors/connector.ts';
import type { Permit } from '../pace/route-gate.ts';
import { type Departure, Departures } from './departures.ts';
import type { Slice } from './slice.ts';

const sent: Answer = { kind: 'sent' };
const refusal: Answer = { kind: 'retry', error: { code: 'provider_busy', detail: 'later' } };

let nowMs = 0;
let turn: (() => void)[] = [];
let told: Departure[][] = [];
let errors: unknown[] = [];
let left: string[] = [];
let mayBegin = true;
let departures: Departures;

beforeEach(() => {
  [nowMs, turn, told, errors, left, mayBegin] = [0, [], [], [], [], true];
  departures = new Departures({
    clock: { monotonicMs: () => nowMs, soon: (run) => turn.push(run) },
    signal: new AbortController().signal,
    mayBegin: () => mayBegin,
    onAnswered: (answered) => told.push([...answered]),
    onError: (error) => errors.push(error),
  });
});

function departure(name: string, send: Sender['send'], messages = 1): Omit<Departure, 'answers'> {
  const message = { id: name, key: name, accountId: 1, attempt: 1, fields: { to: name } };
  const slice = {
    messages: new Array(messages).fill(message),
    works: [],
    offsets: [],
    simulated: 0,
  } as Slice;
  const sender = { send } as Partial<Sender> as Sender;
  return { sender, slice, permit: { beganAtMs: -1 } as Permit, refused: false };
}

function answering(...answers: Answer[]): Sender['send'] {
  return async ([message]) => {
    left.push(message!.id);
    return answers;
  };
}

/** Microtasks, then what waits for the next turn of the event loop. */
async function pass(): Promise<void> {
  for (let n = 0; n < 5; n++) await Promise.resolve();
  for (const run of turn.splice(0)) run();
}

function names(): string[][] {
  return told.map((answered) => answered.map(({ slice }) => slice.messages[0]!.id));
}

test('slices leave in the order in which they were added, at one moment, and what was sent is told together', async () => {
  for (const name of ['a', 'b', 'c']) departures.add(departure(name, answering(sent)), nowMs);
  expect(left).toEqual([]);
  nowMs = 3;
  departures.leave();
  expect(left).toEqual(['a', 'b', 'c']);
  departures.leave();
  expect(left).toHaveLength(3);
  await pass();
  expect(names()).toEqual([['a', 'b', 'c']]);
  expect(told[0]!.map(({ permit }) => permit.beganAtMs)).toEqual([3, 3, 3]);
});

test('a refusal is told at once, before successes that came first are ended', async () => {
  for (const name of ['a', 'b']) departures.add(departure(name, answering(sent)), nowMs);
  departures.add(departure('refused', answering(refusal)), nowMs);
  departures.add(departure('partly', answering(sent, refusal), 2), nowMs);
  departures.leave();
  await pass();
  expect(names()).toEqual([['refused'], ['partly'], ['a', 'b']]);
});

test('slices wait for one another until they are 64 messages, or 5 ms have passed', () => {
  expect(departures.areDue(1_000)).toBe(false);
  departures.add(departure('a', answering(sent), 63), 10);
  expect(departures.areDue(14)).toBe(false);
  expect(departures.areDue(15)).toBe(true);
  departures.add(departure('b', answering(sent)), 11);
  expect(departures.areDue(11)).toBe(true);
  departures.leave();
  expect(departures.areDue(1_000)).toBe(false);
});

test('what is not let begin is told as refused', async () => {
  const send: Sender['send'] = async (_, terms) => (terms.mayBegin() ? [sent] : [refusal]);
  departures.add(departure('a', send), nowMs);
  departures.leave();
  mayBegin = false;
  departures.add(departure('b', send), nowMs);
  departures.leave();
  await pass();
  expect(told.flat().map(({ refused }) => refused)).toEqual([true, false]);
});

test('a sender that rejects or throws has told nothing, and holds up none of the others', async () => {
  const throwing = () => {
    throw new Error('thrown');
  };
  departures.add(departure('throws', throwing), nowMs);
  departures.add(
    departure('rejects', async () => throwing()),
    nowMs,
  );
  departures.add(departure('a', answering(sent)), nowMs);
  departures.leave();
  await pass();
  expect(told.flat().map(({ answers }) => answers)).toEqual([[], [], [sent]]);
  expect(names().flat().sort()).toEqual(['a', 'rejects', 'throws']);
  expect(errors).toHaveLength(2);
});
