import { effect, signal } from '@preact/signals';
import { request } from './call.ts';
import { asProblem, type Problem, triedAgain } from './problem.ts';
import { eventsIn } from './server-events.ts';
import { actsFor, apiKey, caller, can } from './session.ts';
import type { LiveView } from './shapes.ts';

/** One moment of the charts: monotonic milliseconds of this page, and the figures. */
export interface LivePoint {
  atSeconds: number;
  accepted: number;
  sent: number;
  delivered: number;
  failed: number;
  queued: number;
}

/** Five minutes, an event a second. */
const pointsMax = 300;
/** Without an event for so long the stream counts as broken, whatever the connection looks like. */
export const staleMs = 4_000;
const silentMs = 6_000;
const waitsMs = [500, 1_000, 2_000, 4_000, 8_000, 15_000];

export const latest = signal<{ view: LiveView; receivedMs: number } | null>(null);
export const points = signal<LivePoint[]>([]);
/** What keeps the figures from coming. */
export const liveProblem = signal<Problem | null>(null);
/** Set while the server itself cannot read them. */
export const trouble = signal<string | null>(null);
/** Monotonic milliseconds, moved once a second: what shows an age follows it. */
export const nowMs = signal(performance.now());

/** Watches as long as somebody is signed in who may; a change of account begins anew. */
export function keepLive(): () => void {
  const timer = setInterval(() => {
    nowMs.value = performance.now();
  }, 1_000);
  let watching: AbortController | undefined;
  const stop = effect(() => {
    const wanted = apiKey.value !== null && caller.value !== null && can('read');
    // Read so that a change of it is seen.
    void actsFor.value;
    watching?.abort();
    watching = undefined;
    latest.value = null;
    points.value = [];
    liveProblem.value = null;
    trouble.value = null;
    if (!wanted) return;
    watching = new AbortController();
    void watch(watching.signal);
  });
  return () => {
    clearInterval(timer);
    watching?.abort();
    stop();
  };
}

async function watch(stopped: AbortSignal): Promise<void> {
  for (let tries = 0; !stopped.aborted; ) {
    const heard = await listen(stopped);
    if (stopped.aborted) return;
    tries = heard ? 0 : tries + 1;
    const waitMs = waitsMs[Math.min(tries, waitsMs.length - 1)]!;
    await new Promise((resolve) => setTimeout(resolve, waitMs * (0.75 + Math.random() / 2)));
  }
}

/** Until the stream breaks; whether anything was heard. */
async function listen(stopped: AbortSignal): Promise<boolean> {
  const broken = new AbortController();
  const silence = watchdog(silentMs, () => broken.abort());
  let heard = false;
  try {
    const response = await request('GET', 'v1/live', { signal: AbortSignal.any([stopped, broken.signal]) });
    for await (const { name, data } of eventsIn(response.body!)) {
      if (stopped.aborted) return heard;
      silence.again();
      heard = true;
      take(name, data);
    }
    if (!stopped.aborted) liveProblem.value = heardNothing(new Error('ended'));
  } catch (error) {
    if (!stopped.aborted)
      liveProblem.value = heardNothing(broken.signal.aborted ? new Error('silent') : error);
  } finally {
    silence.end();
  }
  return heard;
}

function heardNothing(error: unknown): Problem {
  return triedAgain(asProblem(error, { isRead: true }));
}

function take(name: string, data: string): void {
  const said = JSON.parse(data) as LiveView & { detail?: string };
  liveProblem.value = null;
  nowMs.value = performance.now();
  if (name === 'trouble') {
    trouble.value = said.detail ?? 'The server cannot read the figures.';
    return;
  }
  if (name !== 'snapshot') return;
  trouble.value = null;
  latest.value = { view: said, receivedMs: performance.now() };
  const { accepted, sent, delivered, failed } = said.rates;
  const point = {
    atSeconds: Date.parse(said.at) / 1_000,
    accepted,
    sent,
    delivered,
    failed,
    queued: said.backlog.queued,
  };
  const before = points.value.at(-1);
  if (before && before.atSeconds >= point.atSeconds) return;
  points.value = [...points.value.slice(-(pointsMax - 1)), point];
}

function watchdog(ms: number, bark: () => void): { again: () => void; end: () => void } {
  let timer = setTimeout(bark, ms);
  return {
    again() {
      clearTimeout(timer);
      timer = setTimeout(bark, ms);
    },
    end: () => clearTimeout(timer),
  };
}
