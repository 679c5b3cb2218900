import { expect, test } from 'vitest';
import type { Answer } from '../../connectors/connector.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import { FailingEndpoints } from './failing-endpoints.ts';

const endpoint = '1 https://one.example/';
const work = {} as ChunkWork;
const hung: Answer = { kind: 'uncertain', error: { code: 'provider_timeout', detail: 'no answer' } };
const stopped: Answer = { kind: 'retry', error: { code: 'aborted', detail: 'stopped here' } };
const sent: Answer = { kind: 'sent' };
const refused: Answer = { kind: 'rejected', error: { code: 'provider_rejected', detail: 'HTTP 400' } };

let failing: FailingEndpoints;

function begin({ failures }: { failures: number }): void {
  failing = new FailingEndpoints();
  for (let offset = 0; offset < failures; offset++) note(offset, hung, 0);
}

function note(offset: number, answer: Answer, nowMs: number): void {
  failing.note(endpoint, { message: { work, offset }, answer }, nowMs);
}

/** How long a message has to wait; 0 for one that may leave. */
function waitMs(offset: number, nowMs: number, key = endpoint): number {
  return (failing.admit(key, { work, offset }, nowMs) ?? nowMs) - nowMs;
}

test('an endpoint is left alone after ten failures in a row, and no other one', () => {
  begin({ failures: 9 });
  expect(waitMs(20, 0)).toBe(0);
  note(9, hung, 0);
  expect(waitMs(20, 0)).toBe(5_000);
  expect(waitMs(20, 0, '1 https://other.example/')).toBe(0);
});

test('an answer between them begins the count anew, one that this side stopped does not', () => {
  for (const [answer, wait] of [
    [sent, 0],
    [refused, 0],
    [stopped, 5_000],
  ] as const) {
    begin({ failures: 9 });
    note(9, answer, 0);
    note(10, hung, 0);
    expect(waitMs(20, 0)).toBe(wait);
  }
});

test('when its time is over one message goes, and the others wait for what becomes of it', () => {
  begin({ failures: 10 });
  expect(waitMs(20, 5_000)).toBe(0);
  expect(waitMs(21, 5_000)).toBe(1_000);
  // The probe is asked once more before its first byte leaves.
  expect(waitMs(20, 5_001)).toBe(0);
  expect(waitMs(21, 6_000)).toBe(1_000);
  expect(waitMs(21, 15_000)).toBe(10_000);
  note(20, sent, 15_001);
  expect(waitMs(21, 15_001)).toBe(0);
  expect(failing.remembersNone).toBe(true);
});

test('each probe that fails doubles the time, up to five minutes; what was on its way before changes nothing', () => {
  begin({ failures: 12 });
  const waits = [];
  for (let nowMs = 5_000, offset = 20; offset < 30; offset++) {
    expect(waitMs(offset, nowMs)).toBe(0);
    note(11, hung, nowMs);
    note(offset, hung, nowMs);
    waits.push(waitMs(99, nowMs) / 1_000);
    nowMs += waits.at(-1)! * 1_000;
  }
  expect(waits).toEqual([10, 20, 40, 80, 160, 300, 300, 300, 300, 300]);
});

test('a probe of which nothing is heard for a minute is followed by another one', () => {
  begin({ failures: 10 });
  expect(waitMs(20, 5_000)).toBe(0);
  expect(waitMs(21, 64_999)).toBeGreaterThan(0);
  expect(waitMs(22, 200_000)).toBe(0);
  expect(waitMs(23, 200_000)).toBe(1_000);
});
