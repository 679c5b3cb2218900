import { expect, test } from 'vitest';
import { Alarm } from './alarm.ts';

function alarmAt(nowMs: number) {
  const timers = new Set<{ atMs: number; run: () => void }>();
  const rung: number[] = [];
  const clock = {
    nowMs,
    monotonicMs: () => clock.nowMs,
    after(ms: number, run: () => void) {
      const timer = { atMs: clock.nowMs + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  const alarm = new Alarm(clock, () => rung.push(clock.nowMs));
  const pass = (untilMs: number) => {
    for (const timer of [...timers].sort((a, b) => a.atMs - b.atMs)) {
      if (timer.atMs > untilMs || !timers.delete(timer)) continue;
      clock.nowMs = timer.atMs;
      timer.run();
    }
    clock.nowMs = untilMs;
  };
  return { alarm, rung, pass };
}

test('an alarm rings once, at the earliest of the moments that were asked for, and then for what is asked anew', () => {
  const { alarm, rung, pass } = alarmAt(100);
  alarm.ringAt(180);
  alarm.ringAt(150);
  alarm.ringAt(170);
  pass(200);
  expect(rung).toEqual([150]);
  alarm.ringAt(250);
  pass(300);
  expect(rung).toEqual([150, 250]);
});

test('an alarm that was called off is silent, and one without a moment never rings', () => {
  const { alarm, rung, pass } = alarmAt(0);
  alarm.ringAt(Number.POSITIVE_INFINITY);
  alarm.ringAt(50);
  alarm.callOff();
  alarm.ringAt(20);
  alarm.ringAt(70);
  pass(1_000_000);
  expect(rung).toEqual([]);
});

test('for a moment beyond what timers bear an alarm rings before', () => {
  const { alarm, rung, pass } = alarmAt(0);
  alarm.ringAt(40 * 86_400_000);
  pass(60_000);
  expect(rung).toEqual([60_000]);
});
