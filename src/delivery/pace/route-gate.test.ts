import { expect, test } from 'vitest';
import type { Answer, OutgoingMessage } from '../../connectors/connector.ts';
import { sendError } from '../../connectors/send-errors.ts';
import { breakerDefaults } from '../../message/route.ts';
import { type GateLimits, RouteGate } from './route-gate.ts';

const limits: GateLimits = { ratePerSecond: undefined, concurrency: 32, breaker: breakerDefaults };
const sent: Answer = { kind: 'sent' };
const lost: Answer = { kind: 'uncertain', error: sendError('connection_lost') };
const slower: Answer = { kind: 'retry', error: sendError('rate_limited') };
const fields = { to: '+31612345678' };
const message: OutgoingMessage = { id: 'm', key: 'm', accountId: 1, attempt: 1, fields };

function gateWith(more: Partial<GateLimits> = {}): RouteGate {
  const gate = new RouteGate({ random: () => 0, nowMs: 0 });
  gate.change({ ...limits, ...more }, 0);
  return gate;
}

interface Sends {
  count: number;
  answer: Answer;
  atMs: number;
  accountId?: number;
}

/** Requests of one message that are answered at once, one after the other; how many were let out. */
function send(gate: RouteGate, { count, answer, atMs, accountId = 1 }: Sends): number {
  for (let n = 0; n < count; n++) {
    if (gate.room(1, atMs) === 0) return n;
    const permit = gate.begin({ accountId, messages: 1, nowMs: atMs });
    gate.end(permit, { messages: [message], answers: [answer], nowMs: atMs });
  }
  return count;
}

const nothing = () => false;

test('bulk leaves the last slots to interactive messages', () => {
  const gate = gateWith();
  while (gate.bulkAllowed) gate.begin({ accountId: 1, messages: 1, nowMs: 0 });
  expect(gate.inFlight).toBe(30);
  expect(gateWith({ concurrency: 1 }).bulkAllowed).toBe(true);
});

test('without a share of the route nothing leaves', () => {
  expect(gateWith({ concurrency: 0 }).room(1, 0)).toBe(0);
  const gate = gateWith({ ratePerSecond: 0 });
  expect(gate.room(1, 10_000)).toBe(0);
  expect(gate.waitMs(1, 10_000)).toBe(Number.POSITIVE_INFINITY);
});

test('a request that did not leave takes nothing from the rate', () => {
  const gate = gateWith({ ratePerSecond: 100 });
  expect(gate.room(500, 100)).toBe(10);
  const permit = gate.begin({ accountId: 1, messages: 10, nowMs: 100 });
  expect(gate.room(500, 100)).toBe(0);
  gate.giveBack(permit, 100);
  expect(gate.room(500, 100)).toBe(10);
});

test('a provider that is down gets a few requests, then probes of one message, then more in steps', () => {
  const gate = gateWith();
  expect(send(gate, { count: 100, answer: lost, atMs: 0 })).toBe(20);
  expect(gate.waitMs(500, 0)).toBe(1_000);
  expect(gate.room(500, 1_000)).toBe(1);
  expect(send(gate, { count: 100, answer: lost, atMs: 1_000 })).toBe(1);
  expect(send(gate, { count: 3, answer: sent, atMs: 3_000 })).toBe(3);
  const steps: number[] = [];
  for (let nowMs = 3_000; nowMs < 7_000; nowMs += 100) {
    const { concurrency } = gate.stats(nowMs);
    if (steps.at(-1) !== concurrency) steps.push(concurrency);
    send(gate, { count: 5, answer: sent, atMs: nowMs });
  }
  expect(steps).toEqual([1, 2, 4, 8, 16, 32]);
  expect(gate.room(500, 7_000)).toBe(500);
});

test('while a route recovers its rate rises as well', () => {
  const gate = gateWith({ ratePerSecond: 6_400 });
  send(gate, { count: 20, answer: lost, atMs: 100 });
  send(gate, { count: 3, answer: sent, atMs: 1_100 });
  expect(gate.stats(1_100).ratePerSecond).toBe(100);
  for (let nowMs = 1_600; nowMs <= 4_600; nowMs += 500) send(gate, { count: 1, answer: sent, atMs: nowMs });
  expect(gate.stats(5_000).ratePerSecond).toBe(6_400);
});

test('429 is a matter of pace: however often it comes, the breaker stays closed', () => {
  const gate = gateWith();
  for (let atMs = 0; atMs < 60_000; atMs += 100) send(gate, { count: 1, answer: slower, atMs });
  expect(gate.stats(60_000).breaker).toBe('closed');
});

test('refusals of several accounts slow the route, those of one account do not', () => {
  const gate = gateWith();
  for (let atMs = 0; atMs < 10_000; atMs += 100) {
    send(gate, { count: 1, answer: slower, atMs, accountId: 1 });
    send(gate, { count: 3, answer: sent, atMs, accountId: 2 });
  }
  expect(gate.stats(10_000).concurrency).toBe(32);
  send(gate, { count: 1, answer: slower, atMs: 20_000, accountId: 1 });
  send(gate, { count: 1, answer: slower, atMs: 20_100, accountId: 2 });
  expect(gate.stats(20_100).concurrency).toBe(1);
});

test('while the breaker is not closed, a retry is admitted as a probe, if nothing else is there', () => {
  const gate = gateWith();
  send(gate, { count: 20, answer: lost, atMs: 0 });
  expect(gate.admitRetries(100, { nowMs: 500, othersReady: nothing })).toBe(0);
  expect(gate.retriesAgainAtMs(500)).toBeGreaterThanOrEqual(1_000);
  expect(gate.admitRetries(100, { nowMs: 1_000, othersReady: () => true })).toBe(0);
  const admitted = [1, 2, 3, 4, 5].map(() => gate.admitRetries(100, { nowMs: 1_000, othersReady: nothing }));
  expect(admitted).toEqual([1, 1, 1, 0, 0]);
});

test('a request that did not leave after all frees its slot and tells nothing', () => {
  const gate = gateWith({ concurrency: 1 });
  const permit = gate.begin({ accountId: 1, messages: 1, nowMs: 0 });
  expect(gate.room(1, 0)).toBe(0);
  gate.giveBack(permit, 10);
  expect(gate.room(1, 10)).toBe(1);
});

test('a breaker that is taken away while it is open is told to be off, one that is closed is not', () => {
  const changes: string[] = [];
  const gate = new RouteGate({
    random: () => 0,
    nowMs: 0,
    onBreaker: ({ from, to }) => changes.push(`${from} ${to}`),
  });
  gate.change(limits, 0);
  gate.change({ ...limits, breaker: undefined }, 0);
  gate.change(limits, 0);
  expect(changes).toEqual([]);
  send(gate, { count: breakerDefaults.requestsMin, answer: lost, atMs: 1 });
  gate.change({ ...limits, breaker: undefined }, 2);
  expect(changes).toEqual(['closed open', 'open off']);
});

test('where every message has its own endpoint, those that fail or ask for a slower pace brake no other', () => {
  for (const answer of [lost, slower]) {
    const gate = gateWith({ manyEndpoints: true, breaker: undefined });
    expect(send(gate, { count: 200, answer, atMs: 1_000 })).toBe(200);
    expect(gate.room(1, 1_000)).toBe(1);
    expect(gate.stats(1_000).concurrency).toBe(limits.concurrency);
    expect(gate.accounts.windowOf(1)).toBeGreaterThanOrEqual(limits.concurrency);
  }
  // Retries are budgeted all the same.
  const gate = gateWith({ manyEndpoints: true, breaker: undefined });
  send(gate, { count: 1_000, answer: lost, atMs: 1_000 });
  expect(gate.admitRetries(1_000, { nowMs: 1_000, othersReady: nothing })).toBeLessThan(200);
  send(gate, { count: 100, answer: sent, atMs: 1_000 });
  expect(gate.admitRetries(1_000, { nowMs: 1_000, othersReady: nothing })).toBeGreaterThan(200);
});
