import type { FastifyRequest } from 'fastify';
import { type Clock, systemClock } from '../lib/clock.ts';
import { TokenBuckets } from '../lib/token-buckets.ts';
import { allows, type Scope } from '../message/api-key.ts';
import { ProblemError } from '../message/error-codes.ts';
import type { ControlCache } from '../store/control/control-cache.ts';
import { actingFor } from './acting-for.ts';
import { authenticate, sentKey, unknownKey } from './authenticate.ts';
import type { Caller } from './context.ts';
import { isUnguessable } from './keys.ts';

export interface AdmissionSettings {
  control: ControlCache;
  /** Of each key whose account has no limit of its own. */
  requestsPerSecond: number;
  clock?: Clock;
}

/** A key may make the requests of so many seconds at once. */
const burstSeconds = 2;
/** Keys and remote addresses that are remembered: some hundred bytes each. */
const keysMax = 20_000;
const addressesMax = 10_000;
/** Requests with no valid key that a remote address may make: a person mistypes, a misconfigured client does not stop. */
const failurePace = { ratePerSecond: 1, burst: 100 };

/**
 * Decides who may make a request, and how often. An address whose requests fail again and again is told to wait;
 * good keys are not held up by their neighbours behind the same proxy, but for one that could be found by trying: it
 * must have been good from there before.
 */
export function createAdmission(settings: AdmissionSettings) {
  const { control, requestsPerSecond, clock = systemClock } = settings;
  const keys = new TokenBuckets({ clock, bucketsMax: keysMax });
  const failures = new TokenBuckets({ clock, bucketsMax: addressesMax });
  const seen = new Set<string>();

  /** Undefined for a key that is not known here, before what is known elsewhere was looked at. */
  function callerOf(request: FastifyRequest): Caller | undefined {
    try {
      return authenticate(control, request);
    } catch (error) {
      throw failed(request, error);
    }
  }

  function failed(request: FastifyRequest, error: unknown): unknown {
    const waitMs = failures.take(networkOf(request.socket.remoteAddress), failurePace);
    return waitMs > 0 ? tooManyFailures(waitMs) : error;
  }

  async function identify(request: FastifyRequest): Promise<Caller> {
    const address = networkOf(request.socket.remoteAddress);
    let caller = callerOf(request);
    // Whoever guesses too often is told to wait whatever the key is: it need not be looked for.
    if (!caller && failures.look(address, failurePace) === 0 && (await control.lookAgain())) {
      caller = callerOf(request);
    }
    if (!caller) throw failed(request, unknownKey());
    if (isUnguessable(sentKey(request) ?? '')) return caller;
    const waitMs = failures.look(address, failurePace);
    const place = `${address} ${caller.keyId}`;
    if (!seen.has(place)) {
      // Else the wait would tell which of the guessed keys is good.
      if (waitMs > 0) throw tooManyFailures(waitMs);
      if (seen.size >= keysMax) seen.delete(seen.values().next().value!);
      seen.add(place);
    }
    return caller;
  }

  /** @throws ProblemError `unauthorized`, `rate_limited`, `forbidden` when the key lacks the scope; as `actingFor` */
  return async function admit(request: FastifyRequest, scope: Scope | 'any'): Promise<Caller> {
    const caller = await identify(request);
    const ratePerSecond =
      control.accountById(caller.accountId)?.limits.requestsPerSecond ?? requestsPerSecond;
    const burst = Math.max(1, ratePerSecond * burstSeconds);
    const waitMs = keys.take(caller.keyId, { ratePerSecond, burst });
    if (waitMs > 0) {
      throw new ProblemError('rate_limited', `this key may make ${ratePerSecond} requests a second`, {
        retryAfterSeconds: wholeSeconds(waitMs),
      });
    }
    if (scope !== 'any' && !allows(caller.scopes, scope)) {
      throw new ProblemError('forbidden', `this needs a key with the scope "${scope}"`);
    }
    const sends = scope === 'send' || request.routeOptions.config.sends === true;
    return await actingFor(control, { caller, sends, headers: request.headers });
  };
}

function tooManyFailures(waitMs: number): ProblemError {
  return new ProblemError('rate_limited', 'too many requests without a valid key came from this address', {
    retryAfterSeconds: wholeSeconds(waitMs),
  });
}

function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000));
}

/** The address, or of IPv6 the network of 64 bits that one customer has. */
function networkOf(address = ''): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  const zeros = tail === undefined ? 0 : 8 - groups.length - tail.split(':').length;
  return [...groups, ...Array<string>(Math.max(0, zeros)).fill('0'), ...(tail ?? '').split(':')]
    .slice(0, 4)
    .join(':');
}
