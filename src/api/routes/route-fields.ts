import { type Static, Type } from 'typebox';
import type { Connector, RouteDefaults } from '../../connectors/connector.ts';
import { type ErrorItem, ProblemError } from '../../message/error-codes.ts';
import type { Channel } from '../../message/fields.ts';
import {
  type BreakerPolicy,
  breakerDefaults,
  concurrencyDefault,
  type RetryPolicy,
  type Route,
  retryDefaults,
} from '../../message/route.ts';
import type { RouteFields } from '../../store/control/routes.ts';
import type { ApiContext } from '../context.ts';
import { invalid } from '../validation.ts';
import { parseAccountId } from './account-fields.ts';
import { Destinations, readDestinations } from './destination-fields.ts';
import { concurrencyMax, ratePerSecondMax } from './route-limits.ts';
import { SendWindowFields, sendWindowErrors } from './send-window-fields.ts';

const attemptsMax = 1_000;
const dayMs = 86_400_000;
const hourMs = 3_600_000;
/** Messages are kept for weeks; one that could not be sent for this long is given up. */
const expireAfterMaxMs = 14 * dayMs;
const accountsMax = 1_000;
/** Waits of a schedule of retries. */
const waitsMax = 100;
/** A path part and a label of metrics: no case to confuse, nothing to encode. */
export const routeNamePattern = '^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$';

const channels = ['sms', 'email', 'webhook'] as const;

const Retry = Type.Object(
  {
    attemptsMax: Type.Optional(
      Type.Integer({ minimum: 1, maximum: attemptsMax, default: retryDefaults.attemptsMax }),
    ),
    backoffMinMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: dayMs, default: retryDefaults.backoffMinMs }),
    ),
    backoffMaxMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: dayMs, default: retryDefaults.backoffMaxMs }),
    ),
    waitsMs: Type.Optional(
      Type.Array(Type.Integer({ minimum: 1, maximum: dayMs }), {
        minItems: 1,
        maxItems: waitsMax,
        description:
          'the wait after each attempt, in the place of the backoff; the last one goes for all that follow. Each is up to a ' +
          'fifth longer by chance. `attemptsMax` is one more than there are waits, where it is not given',
      }),
    ),
    expireAfterMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: expireAfterMaxMs, default: retryDefaults.expireAfterMs }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Waits begin at `backoffMinMs`, double up to `backoffMaxMs`, with full jitter; a message is given up after ' +
      '`attemptsMax` attempts, or `expireAfterMs` after it was accepted (while its windows are open). The connector `webhook` has defaults of its own: the ' +
      'waits of the Standard Webhooks specification, and three days.',
  },
);

const { failureRatio, requestsMin, windowMs, openMs, openMaxMs, probes } = breakerDefaults;

const Breaker = Type.Union(
  [
    Type.Literal(false),
    Type.Object(
      {
        failureRatio: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1, default: failureRatio })),
        requestsMin: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, default: requestsMin })),
        windowMs: Type.Optional(Type.Integer({ minimum: 100, maximum: hourMs, default: windowMs })),
        openMs: Type.Optional(Type.Integer({ minimum: 10, maximum: hourMs, default: openMs })),
        openMaxMs: Type.Optional(Type.Integer({ minimum: 10, maximum: hourMs, default: openMaxMs })),
        probes: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: probes })),
      },
      { additionalProperties: false },
    ),
  ],
  {
    description:
      'Stops sending when `failureRatio` of at least `requestsMin` requests within `windowMs` could not connect, timed ' +
      'out, were cut off or got a 5xx (429 slows down instead), on each worker for itself. After `openMs`, doubled ' +
      'up to `openMaxMs` while they fail, `probes` requests of one message must pass before the rate rises again in ' +
      'steps. `false`: never.',
  },
);

/** The connector's own options stand beside these fields, so that further fields are its to judge. */
export const RouteBody = Type.Object(
  {
    connector: Type.String({ description: 'such as `http`' }),
    channel: Type.Optional(
      Type.Enum([...channels], {
        description: 'fixes what `to` may be: a telephone number, an address, a URL',
      }),
    ),
    ratePerSecond: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: ratePerSecondMax })),
    concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: concurrencyMax,
        default: concurrencyDefault,
        description: 'requests at once',
      }),
    ),
    destinations: Type.Optional(Destinations),
    sendWindow: Type.Optional(SendWindowFields),
    retry: Type.Optional(Retry),
    onUncertain: Type.Optional(
      Type.Enum(['resend', 'hold'], {
        description:
          'sends of which nobody knows how they ended are tried again, or held as `uncertain` until a receipt or an ' +
          'operator settles them; by default as the connector has it: `resend` for http',
      }),
    ),
    accounts: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        maxItems: accountsMax,
        uniqueItems: true,
        description: 'the accounts that may send through it; all when absent',
      }),
    ),
    breaker: Type.Optional(Breaker),
    receiptsBy: Type.Optional(
      Type.Enum(['key', 'providerRef'], {
        default: 'key',
        description:
          'what the provider names messages by in its receipts: the key that was sent along, or its own ids, which are ' +
          'then kept for it',
      }),
    ),
  },
  { description: "The fields below and the connector's own options." },
);

/** To administrators; others see the first four fields. */
export const RouteAnswer = Type.Object(
  {
    name: Type.String(),
    connector: Type.String(),
    channel: Type.Union([Type.String(), Type.Null()]),
    paused: Type.Boolean({ description: 'nothing is sent through it: what comes for it waits' }),
  },
  { additionalProperties: true },
);

/** `origin`: where others reach this server. */
export function routeAnswer(route: Route, settings: { complete: boolean; origin: string }) {
  const { name, connector, channel = null, paused } = route;
  const shown = { name, connector, channel, paused };
  if (!settings.complete) return shown;
  return {
    ...route.options,
    ...shown,
    ratePerSecond: route.ratePerSecond ?? null,
    concurrency: route.concurrency,
    destinations: route.destinations ?? null,
    sendWindow: route.sendWindow ?? null,
    retry: shownRetry(route.retry),
    breaker: route.breaker,
    onUncertain: route.onUncertain,
    receiptsBy: route.receiptsBy ?? 'key',
    receiptsUrl: receiptsUrl(route, settings.origin),
    accounts: route.accounts?.map(String) ?? null,
    createdAt: route.createdAt.toISOString(),
    updatedAt: route.updatedAt.toISOString(),
  };
}

/** What its provider calls; null for a route that has none (yet). */
function receiptsUrl({ receiptsToken }: Route, origin: string): string | null {
  return receiptsToken === undefined ? null : `${origin}/v1/receipts/${receiptsToken}`;
}

/** As it can be given again: the backoff is not there where a schedule takes its place. */
function shownRetry({ backoffMinMs, backoffMaxMs, ...retry }: RetryPolicy): Partial<RetryPolicy> {
  return retry.waitsMs === undefined ? { ...retry, backoffMinMs, backoffMaxMs } : retry;
}

/** @throws ProblemError with every fault of the body, the connector's options included. */
export function readRoute(
  { connectors }: ApiContext,
  input: { name: string; body: Static<typeof RouteBody> },
): RouteFields {
  const { connector: connectorName, channel, ratePerSecond, concurrency, ...rest } = input.body;
  const { destinations, sendWindow, retry, onUncertain, accounts, breaker, receiptsBy, ...options } = rest;
  const connector = connectors.get(connectorName);
  if (!connector) {
    const names = [...connectors.keys()].join(', ');
    throw invalid('body', [
      { pointer: '/connector', code: 'unknown_connector', detail: `must be one of: ${names}` },
    ]);
  }
  const problems = connector.check(options);
  const defaults = problems.length > 0 ? undefined : routeDefaults(connector, options, concurrency);
  const wholeRetry = fillRetry(retry ?? {}, defaults?.retry);
  const wholeBreaker = fillBreaker(breaker, connector);
  const ofChannel = channel ?? defaults?.channel;
  const accountIds = accounts?.map(parseAccountId);
  const limited = destinations && readDestinations(destinations, ofChannel);
  const limits = limited?.destinations ?? defaults?.destinations;
  const errors = [
    ...problems,
    ...channelErrors(channel, defaults?.channel),
    ...retryErrors(wholeRetry, retry ?? {}),
    ...breakerErrors(wholeBreaker, connector),
    ...(limited?.errors ?? []),
    ...sendWindowErrors(sendWindow, ofChannel),
    ...(accountIds ?? []).flatMap((id, index) => (id === null ? [unknownAccount(index)] : [])),
  ];
  if (errors.length > 0) throw invalid('body', errors);
  return {
    name: input.name,
    connector: connectorName,
    ...(ofChannel && { channel: ofChannel }),
    options,
    ...(ratePerSecond !== undefined && { ratePerSecond }),
    concurrency: concurrency ?? concurrencyDefault,
    ...(limits && { destinations: limits }),
    ...(sendWindow && { sendWindow }),
    retry: wholeRetry,
    breaker: wholeBreaker,
    onUncertain: onUncertain ?? connector.onUncertainDefault,
    ...(receiptsBy === 'providerRef' && { receiptsBy }),
    ...(accountIds && { accounts: accountIds as number[] }),
  };
}

export function unknownAccount(index: number): ErrorItem {
  return { pointer: `/accounts/${index}`, code: 'unknown_account', detail: 'there is no such account' };
}

export function noSuchRoute(): ProblemError {
  return new ProblemError('not_found', 'there is no such route');
}

function routeDefaults(
  connector: Connector,
  options: Record<string, unknown>,
  concurrency = concurrencyDefault,
): RouteDefaults | undefined {
  return connector.routeDefaults?.({ options, concurrency });
}

/** A route that asks for the backoff gets it, also where its connector would have a schedule. */
function fillRetry(given: Partial<RetryPolicy>, ofConnector: Partial<RetryPolicy> | undefined): RetryPolicy {
  const wantsBackoff = given.backoffMinMs !== undefined || given.backoffMaxMs !== undefined;
  const whole = { ...retryDefaults, ...(wantsBackoff ? {} : ofConnector), ...given };
  if (given.waitsMs === undefined) return whole;
  const attempts = given.attemptsMax ?? given.waitsMs.length + 1;
  return { ...whole, attemptsMax: Math.min(attempts, attemptsMax) };
}

function fillBreaker(
  given: Static<typeof RouteBody>['breaker'],
  { manyEndpoints }: Connector,
): BreakerPolicy | false {
  if (given === false || (given === undefined && manyEndpoints)) return false;
  return { ...breakerDefaults, ...given };
}

function channelErrors(given: Channel | undefined, ofConnector: Channel | undefined): ErrorItem[] {
  if (given === undefined || ofConnector === undefined || given === ofConnector) return [];
  return [{ pointer: '/channel', code: 'invalid_value', detail: `must be ${ofConnector}, or left out` }];
}

function retryErrors({ backoffMinMs, backoffMaxMs }: RetryPolicy, given: Partial<RetryPolicy>): ErrorItem[] {
  if (given.waitsMs && (given.backoffMinMs !== undefined || given.backoffMaxMs !== undefined)) {
    const detail = 'takes the place of backoffMinMs and backoffMaxMs: give one or the other';
    return [{ pointer: '/retry/waitsMs', code: 'invalid_value', detail }];
  }
  if (backoffMinMs <= backoffMaxMs) return [];
  const detail = `must not be less than backoffMinMs (${backoffMinMs})`;
  return [{ pointer: '/retry/backoffMaxMs', code: 'invalid_value', detail }];
}

function breakerErrors(breaker: BreakerPolicy | false, { name, manyEndpoints }: Connector): ErrorItem[] {
  if (breaker !== false && manyEndpoints) {
    const detail = `a ${name} route has many endpoints, of which one that fails stops no other: leave it out`;
    return [{ pointer: '/breaker', code: 'not_allowed', detail }];
  }
  if (breaker === false || breaker.openMs <= breaker.openMaxMs) return [];
  const detail = `must not be less than openMs (${breaker.openMs})`;
  return [{ pointer: '/breaker/openMaxMs', code: 'invalid_value', detail }];
}
