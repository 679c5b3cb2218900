import { DestinationMatcher } from '../../message/destination-match.ts';
import { Destination, type DestinationShare } from './destination.ts';
import type { DestinationQueue } from './destination-queue.ts';

/** Hosts and domains that `*` limits each for itself; those beyond share one limit. */
const hostsMax = 10_000;
/** Of the hosts that were not used for the longest time, so many are looked at to make room for another. */
const forgetLooks = 16;

/** The destinations that a route limits, found by recipient. */
export class DestinationTable {
  readonly #isReady: (queue: DestinationQueue) => boolean;
  readonly #hostsMax: number;
  #shares = new Map<string, DestinationShare>();
  #matcher = new DestinationMatcher([]);
  #named = new Map<string, Destination>();
  /** Those of `*`: the one that was used last, or was found busy, is the last. */
  #hosts = new Map<string, Destination>();
  /** Hosts for which there was no room. While it is at work no other host gets a limit of its own: it may be one of them. */
  #crowd: Destination | undefined;
  /** The one that was used last: of many messages to one host, most find it here. */
  #last: { host: string; destination: Destination } | undefined;

  constructor(settings: { isReady: (queue: DestinationQueue) => boolean; hostsMax?: number }) {
    this.#isReady = settings.isReady;
    this.#hostsMax = settings.hostsMax ?? hostsMax;
  }

  /** New limits hold at once. True when messages may now belong to other destinations than before. */
  change(shares: readonly DestinationShare[], nowMs: number): boolean {
    const before = this.#shares;
    this.#last = undefined;
    this.#shares = new Map(shares.map((share) => [share.match, share]));
    const each = this.#shares.get('*');
    for (const [match, destination] of this.#named) {
      const share = this.#shares.get(match);
      if (share) destination.change(share, nowMs);
      else this.#named.delete(match);
    }
    if (each === undefined) {
      this.#hosts.clear();
      this.#crowd = undefined;
    } else {
      for (const destination of this.#hosts.values()) destination.change(each, nowMs);
      this.#crowd?.change(each, nowMs);
    }
    if (before.size === this.#shares.size && shares.every(({ match }) => before.has(match))) return false;
    this.#matcher = new DestinationMatcher([...this.#shares.keys()]);
    return true;
  }

  /** Undefined for a recipient that the route alone limits. */
  find(to: string, nowMs: number): Destination | undefined {
    const matched = this.#matcher.find(to);
    if (matched === undefined) return undefined;
    const { match, host } = matched;
    if (host !== undefined) return this.#findHost(host, nowMs);
    let destination = this.#named.get(match);
    if (destination === undefined) {
      destination = this.#new(match, nowMs);
      this.#named.set(match, destination);
    }
    return destination;
  }

  *all(): Generator<Destination> {
    yield* this.#named.values();
    yield* this.#hosts.values();
    if (this.#crowd) yield this.#crowd;
  }

  #findHost(host: string, nowMs: number): Destination {
    if (this.#last?.host === host) return this.#last.destination;
    let destination = this.#hosts.get(host);
    if (destination === undefined) {
      if (this.#crowd && !this.#crowd.isAtRest(nowMs)) return this.#crowd;
      if (this.#hosts.size >= this.#hostsMax && !this.#forgetOne(nowMs)) {
        this.#crowd ??= this.#new('*', nowMs);
        return this.#crowd;
      }
      destination = this.#new('*', nowMs);
    } else this.#hosts.delete(host);
    this.#hosts.set(host, destination);
    this.#last = { host, destination };
    return destination;
  }

  #forgetOne(nowMs: number): boolean {
    this.#last = undefined;
    let looks = 0;
    for (const [host, destination] of this.#hosts) {
      if (destination.isAtRest(nowMs)) return this.#hosts.delete(host);
      // Or busy ones would gather here, and hide those behind them.
      this.#hosts.delete(host);
      this.#hosts.set(host, destination);
      if (++looks === forgetLooks) break;
    }
    return false;
  }

  #new(match: string, nowMs: number): Destination {
    return new Destination({ share: this.#shares.get(match)!, nowMs, isReady: this.#isReady });
  }
}
