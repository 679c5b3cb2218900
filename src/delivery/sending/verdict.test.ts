import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Answer } from '../../connectors/connector.ts';
import { stateNumber } from '../../message/state.ts';
import { type VerdictSettings, verdict } from './verdict.ts';

const policy = { attemptsMax: 5, backoffMinMs: 100, backoffMaxMs: 10_000, expireAfterMs: 60_000 };
const error = { code: 'provider_error', detail: 'it broke' };

function judge(answer: Answer, more: Partial<VerdictSettings> = {}) {
  return verdict(answer, {
    attempt: 1,
    attemptsBefore: 0,
    onUncertain: 'resend',
    policy,
    nowMs: 1_000,
    expiresAtMs: () => 61_000,
    random: () => 0.5,
    ...more,
  });
}

test('sent and rejected are final at once', () => {
  expect(judge({ kind: 'sent', providerRef: 'p1' })).toMatchObject({
    state: stateNumber.sent,
    providerRef: 'p1',
  });
  expect(judge({ kind: 'rejected', error })).toMatchObject({ state: stateNumber.failed, error });
});

test('what may be tried again waits within the backoff of its attempt, and never past its expiry', () => {
  const answers = fc.oneof(
    fc.constant<Answer>({ kind: 'uncertain', error }),
    fc.record({
      kind: fc.constant('retry' as const),
      error: fc.constant(error),
      retryAfterMs: fc.nat(100_000),
    }),
  );
  const draws = fc.double({ min: 0, max: 0.999, noNaN: true });
  fc.assert(
    fc.property(answers, fc.integer({ min: 1, max: 4 }), draws, (answer, attempt, draw) => {
      const outcome = judge(answer, { attempt, random: () => draw });
      const retryAfterMs = 'retryAfterMs' in answer ? (answer.retryAfterMs ?? 0) : 0;
      if (outcome.state === stateNumber.expired) {
        expect(1_000 + Math.max(retryAfterMs + 100, 100 * 2 ** attempt)).toBeGreaterThanOrEqual(61_000);
        return;
      }
      expect(outcome.state).toBe(stateNumber.retrying);
      expect(outcome.dueAtMs).toBeLessThan(61_000);
      expect(outcome.dueAtMs).toBeGreaterThanOrEqual(1_000 + retryAfterMs);
      expect(outcome.dueAtMs).toBeLessThanOrEqual(
        1_000 + Math.max(retryAfterMs + 100, 100 * 2 ** (attempt - 1)),
      );
    }),
  );
});

test('the last attempt fails with its own error', () => {
  expect(judge({ kind: 'uncertain', error }, { attempt: 5 })).toMatchObject({
    state: stateNumber.failed,
    error,
  });
});

test('text that PostgreSQL cannot hold is left out, and long text is cut', () => {
  const outcome = judge({
    kind: 'rejected',
    error: { code: 'x'.repeat(1_000), detail: `a\0b${'c'.repeat(1_000)}` },
  });
  expect(outcome.error?.code.length).toBe(100);
  expect(outcome.error?.detail).toMatch(/^abc+$/);
  expect(outcome.error?.detail.length).toBeLessThanOrEqual(500);
});

test('an uncertain send is held where the route says so, and nothing else is', () => {
  const held = judge({ kind: 'uncertain', error }, { onUncertain: 'hold' });
  expect(held).toMatchObject({ state: stateNumber.uncertain, error });
  expect(judge({ kind: 'retry', error }, { onUncertain: 'hold' }).state).toBe(stateNumber.retrying);
});

test('attempts of before a replay are not held against a message', () => {
  const replayed = { attempt: 9, attemptsBefore: 5 };
  expect(judge({ kind: 'retry', error }, replayed).state).toBe(stateNumber.retrying);
  expect(judge({ kind: 'retry', error }, { ...replayed, attempt: 10 }).state).toBe(stateNumber.failed);
});

test('a schedule of waits is kept to, its last wait for all that follow, and never undercut', () => {
  const waitsMs = [5_000, 300_000, 1_800_000];
  const scheduled = { ...policy, waitsMs, attemptsMax: 9 };
  const longMs = () => 1e9;
  for (const [attempt, waitMs] of [
    [1, 5_000],
    [2, 300_000],
    [3, 1_800_000],
    [4, 1_800_000],
  ] as const) {
    for (const draw of [0, 0.5, 0.999]) {
      const more = { attempt, policy: scheduled, expiresAtMs: longMs, random: () => draw };
      const { dueAtMs } = judge({ kind: 'uncertain', error }, more);
      expect(dueAtMs).toBeGreaterThanOrEqual(1_000 + waitMs);
      expect(dueAtMs).toBeLessThanOrEqual(1_000 + waitMs * 1.2);
    }
  }
  const asked = judge(
    { kind: 'retry', error, retryAfterMs: 60_000 },
    { policy: scheduled, expiresAtMs: longMs, random: () => 0 },
  );
  expect(asked.dueAtMs).toBeGreaterThanOrEqual(61_000);
});
