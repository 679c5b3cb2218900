import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { State } from '../../message/state.ts';
import type { CappedLabels } from './capped-labels.ts';
import { type BucketCounts, CountedHistogram } from './counted-histogram.ts';
import { ErrorLabels } from './error-labels.ts';
import { firstAttemptBounds } from './first-attempt-bounds.ts';
import { durationBuckets } from './request-figures.ts';

export interface DeliveryFigures {
  /** One request to a provider was answered, for `messages` messages. */
  attemptAnswered(event: { route: string; answer: AnswerKind; messages: number; seconds: number }): void;
  /** So many messages of requests were answered with this error. */
  attemptFailed(event: { route: string; answer: AnswerKind; code: string; count: number }): void;
  outcomesRecorded(event: { route: string; state: State; count: number }): void;
  /** How long messages waited for their first attempt, by bucket of `firstAttemptBounds`. */
  firstAttemptsMade(event: { priority: 'interactive' | 'bulk' } & BucketCounts): void;
  /** What came of receipts of providers; `refused` counts requests. */
  receiptsTold(event: { result: ReceiptResult; count: number }): void;
  /** Requests to webhooks that were made of changes. */
  callbacksMade(count: number): void;
  /** Present values, summed over the workers of this server. */
  deliveryState(state: DeliveryState): void;
}

type AnswerKind = 'sent' | 'rejected' | 'retry' | 'uncertain';

type ReceiptResult =
  | 'stored'
  | 'ignored'
  | 'matched'
  | 'repeated'
  | 'unchanged'
  | 'early'
  | 'late'
  | 'unknown'
  | 'refused';

export interface DeliveryState {
  /** Threads and further processes that deliver. */
  workers: number;
  pendingChunks: number;
  loadedChunks: number;
  sendsInFlight: number;
  ownedShards: number;
  unrecordedOutcomes: number;
  /** The longest of the workers lately. */
  loopLagSeconds: number;
  routes: readonly RouteState[];
}

/** How a worker may send through a route. */
export interface RouteState {
  route: string;
  breaker: 'closed' | 'half-open' | 'open' | null;
  /** Messages a second; null for no limit. */
  ratePerSecond: number | null;
  /** Requests at once. */
  concurrency: number;
  inFlight: number;
}

/** Of states that somebody is to be told of when they first come up. */
const endStates = ['sent', 'failed', 'expired', 'uncertain'] as const;

export function deliveryFigures(
  registry: Registry,
  { routeLabels }: { routeLabels: CappedLabels },
): DeliveryFigures {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });
  const outcomes = counter('millrace_outcomes_total', 'Outcomes recorded, by state', ['route', 'state']);
  const receipts = counter(
    'millrace_receipts_total',
    'Receipts of providers, by what came of them; of those refused, requests',
    ['result'],
  );
  const callbacks = counter(
    'millrace_callbacks_total',
    'Requests to webhooks that were made of changes; they are sent as messages on the route callbacks',
    [],
  );
  const firstAttempts = new CountedHistogram({
    name: 'millrace_first_attempt_seconds',
    help: 'Time from the acceptance of a message, or from when it was scheduled for, to its first attempt',
    label: 'priority',
    bounds: firstAttemptBounds,
    registry,
  });
  const attempts = attemptFigures(registry, routeLabels);
  const present = presentDelivery(registry, routeLabels);
  return {
    ...attempts,
    deliveryState(state) {
      present.deliveryState(state);
      // A rise from nothing is seen as one only by whoever has seen the nothing.
      for (const { route } of state.routes) {
        for (const name of endStates) outcomes.inc({ route: routeLabels.of(route), state: name }, 0);
      }
    },
    outcomesRecorded({ route, state, count }) {
      outcomes.inc({ route: routeLabels.of(route), state }, count);
    },
    firstAttemptsMade: ({ priority, ...counts }) => firstAttempts.add(priority, counts),
    receiptsTold: ({ result, count }) => receipts.inc({ result }, count),
    callbacksMade: (count) => callbacks.inc(count),
  };
}

function attemptFigures(
  registry: Registry,
  routeLabels: CappedLabels,
): Pick<DeliveryFigures, 'attemptAnswered' | 'attemptFailed'> {
  const registers = [registry];
  const codes = new ErrorLabels();
  const attempts = new Histogram({
    name: 'millrace_attempt_seconds',
    help: 'Time of one request to a provider',
    labelNames: ['route', 'answer'] as const,
    buckets: durationBuckets,
    registers,
  });
  const attempted = new Counter({
    name: 'millrace_messages_attempted_total',
    help: 'Messages handed to a provider, by its answer',
    labelNames: ['route', 'answer'] as const,
    registers,
  });
  const errors = new Counter({
    name: 'millrace_attempt_errors_total',
    help: 'Messages whose attempt met an error, by its code; answer tells whether they are tried again',
    labelNames: ['route', 'answer', 'code'] as const,
    registers,
  });
  return {
    attemptAnswered({ route, answer, messages, seconds }) {
      const labels = { route: routeLabels.of(route), answer };
      attempts.observe(labels, seconds);
      attempted.inc(labels, messages);
    },
    attemptFailed({ route, answer, code, count }) {
      const label = routeLabels.of(route);
      errors.inc({ route: label, answer, code: codes.of(label, code) }, count);
    },
  };
}

const breakerStates = ['closed', 'half-open', 'open'] as const;

function presentDelivery(
  registry: Registry,
  routeLabels: CappedLabels,
): Pick<DeliveryFigures, 'deliveryState'> {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const byRoute = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ['route'] as const, registers });
  const workers = gauge('millrace_delivery_workers', 'Processes of this server that deliver');
  const pending = gauge('millrace_pending_chunks', 'Unfinished chunks that this server owns');
  const loaded = gauge('millrace_loaded_chunks', 'Chunks whose payload is in memory');
  const inFlight = gauge('millrace_sends_in_flight', 'Requests to providers that are not answered yet');
  const shards = gauge('millrace_owned_shards', 'Shards that this server owns');
  const unrecorded = gauge('millrace_unrecorded_outcomes', 'Outcomes that are not in the database yet');
  const lag = gauge(
    'millrace_delivery_event_loop_lag_seconds',
    'How late the event loop of a worker was at most over the last seconds; nodejs_eventloop_lag_* is that of the API',
  );
  const rate = byRoute(
    'millrace_route_pace_messages_per_second',
    'What this server may send through a route now; absent for a route without a limit',
  );
  const concurrency = byRoute(
    'millrace_route_concurrency',
    'Requests at once that this server may make through a route now',
  );
  const sending = byRoute('millrace_route_sends_in_flight', 'Requests of a route that are not answered yet');
  const breakers = new Gauge({
    name: 'millrace_route_breaker_workers',
    help: 'Workers of this server whose breaker of the route is in this state; absent for a route without one',
    labelNames: ['route', 'state'] as const,
    registers,
  });
  return {
    deliveryState(state) {
      workers.set(state.workers);
      pending.set(state.pendingChunks);
      loaded.set(state.loadedChunks);
      inFlight.set(state.sendsInFlight);
      shards.set(state.ownedShards);
      unrecorded.set(state.unrecordedOutcomes);
      lag.set(state.loopLagSeconds);
      for (const one of [rate, concurrency, sending, breakers]) one.reset();
      for (const of of state.routes) {
        const route = routeLabels.of(of.route);
        if (of.ratePerSecond !== null) rate.inc({ route }, of.ratePerSecond);
        concurrency.inc({ route }, of.concurrency);
        sending.inc({ route }, of.inFlight);
        if (of.breaker === null) continue;
        for (const name of breakerStates) breakers.inc({ route, state: name }, name === of.breaker ? 1 : 0);
      }
    },
  };
}
