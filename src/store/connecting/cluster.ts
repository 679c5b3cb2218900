import { systemClock } from '../../lib/clock.ts';
import type { HostEvent } from '../../lib/host-event.ts';
import { type PostgresHost, parsePostgresUrl, type TargetSession } from '../../lib/postgres-url.ts';
import { type Fault, noWriter } from '../fault.ts';
import { askHost, type HostState, isDown } from './ask-host.ts';

export interface ClusterMember {
  /** No connection to this host may be used any more. */
  leave(host: PostgresHost): void;
  onHost?: ((event: HostEvent) => void) | undefined;
}

/** The others get this long to answer after the first that is fit: one of them may have been promoted later. */
const othersMs = 300;
/** Silence of the host in use, or a promotion behind its back, is found out by looking at all hosts this often. */
const lookEveryMs = 2_000;
/** Those who ask while no host takes writes do not look again each. */
const failureKeptMs = 200;

/** One for each URL, and with it what was seen of its timelines, for as long as this process lives. */
const clusters = new Map<string, Cluster>();

export function clusterOf(url: string): Cluster {
  const cluster = clusters.get(url) ?? new Cluster(url);
  clusters.set(url, cluster);
  return cluster;
}

/**
 * The hosts of one URL, one of which takes writes. It is found by asking all of them, and kept until it says that it is
 * down or read-only, or until one of a later timeline takes writes: a primary that was cut off, or that nobody stopped
 * when another was promoted, would accept what is lost later. For the same reason no host of an earlier timeline than
 * one seen before is taken.
 */
export class Cluster {
  readonly target: TargetSession;
  /** The one that was used last is asked, and taken, first. */
  #hosts: PostgresHost[];
  #current: PostgresHost | undefined;
  #timeline = 0;
  #looking: Promise<PostgresHost> | undefined;
  #failed: { error: Error; atMs: number } | undefined;
  readonly #outdated = new Set<PostgresHost>();
  readonly #members = new Set<ClusterMember>();
  #watch: AbortController | undefined;

  constructor(url: string) {
    const { hosts, target = 'any' } = parsePostgresUrl(url);
    this.#hosts = hosts;
    this.target = target;
  }

  /** Answers how to leave again. */
  join(member: ClusterMember): () => void {
    this.#members.add(member);
    if (!this.#watch && this.#hosts.length > 1) this.#startWatch();
    return () => {
      this.#members.delete(member);
      if (this.#members.size > 0) return;
      this.#watch?.abort();
      this.#watch = undefined;
    };
  }

  /** The host that writes go to. @throws NoWriterError */
  async find(): Promise<PostgresHost> {
    if (this.#current) return this.#current;
    const failed = this.#failed;
    if (failed && systemClock.monotonicMs() - failed.atMs < failureKeptMs) throw failed.error;
    return await this.#look();
  }

  /** Whether a connection to a host in this state may be used. */
  admits(state: HostState): boolean {
    return state.kind === 'fit' && !this.#isOutdated(state.timeline);
  }

  /** A connection to a host met a fault. */
  met(host: PostgresHost, fault: Fault): void {
    if (host !== this.#current) return;
    if (isDown(fault)) this.#leave();
    // That none was found is kept, and told to the next who asks for one.
    if (fault.connectionLost) void this.#look().catch(() => {});
  }

  #startWatch(): void {
    const watch = new AbortController();
    this.#watch = watch;
    const run = async () => {
      for (;;) {
        await systemClock.sleep(lookEveryMs, watch.signal);
        // As above: whoever needs a host hears of it.
        await this.#look().catch(() => {});
      }
    };
    // It rejects only when nobody watches any more.
    run().catch(() => {});
  }

  #look(): Promise<PostgresHost> {
    this.#looking ??= this.#askAll().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #askAll(): Promise<PostgresHost> {
    const answers = await this.#answers();
    const chosen = this.#choose(answers);
    this.#noteOutdated(answers);
    if (chosen) {
      const state = answers.get(chosen);
      if (state?.kind === 'fit') this.#timeline = Math.max(this.#timeline, state.timeline);
      if (chosen !== this.#current) this.#take(chosen);
      this.#failed = undefined;
      return chosen;
    }
    if (this.#current) this.#leave();
    const error = new NoWriterError(answers);
    this.#failed = { error, atMs: systemClock.monotonicMs() };
    throw error;
  }

  /** Those of all hosts, or what came until a little after one that is fit. */
  #answers(): Promise<ReadonlyMap<PostgresHost, HostState>> {
    const answers = new Map<PostgresHost, HostState>();
    return new Promise((resolve) => {
      const done = () => resolve(new Map(answers));
      for (const host of this.#hosts) {
        void askHost(host.url, this.target).then((state) => {
          answers.set(host, state);
          if (answers.size === this.#hosts.length) done();
          else if (this.admits(state)) setTimeout(done, othersMs).unref();
        });
      }
    });
  }

  #choose(answers: ReadonlyMap<PostgresHost, HostState>): PostgresHost | undefined {
    let best: { host: PostgresHost; timeline: number } | undefined;
    for (const host of this.#hosts) {
      const state = answers.get(host);
      if (state?.kind !== 'fit' || this.#isOutdated(state.timeline)) continue;
      if (!best || state.timeline > best.timeline) best = { host, timeline: state.timeline };
    }
    const current = this.#current;
    if (!current) return best?.host;
    const { kind } = answers.get(current) ?? { kind: 'unknown' };
    // One that is silent, or full, may only be slow: it is left for one that was promoted meanwhile, and no other.
    if (kind === 'unknown' && (!best || best.timeline <= this.#timeline)) return current;
    return best?.host;
  }

  /** With `any` a standby is taken where there is no other; it has no timeline to compare. */
  #isOutdated(timeline: number): boolean {
    return timeline < this.#timeline && !(timeline === 0 && this.target === 'any');
  }

  #take(host: PostgresHost): void {
    const before = this.#current;
    this.#current = host;
    this.#hosts = [host, ...this.#hosts.filter((other) => other !== host)];
    if (before) this.#abandon(before);
    this.#tell({ kind: 'found', host: host.name, timeline: this.#timeline });
  }

  #leave(): void {
    const host = this.#current;
    this.#current = undefined;
    if (!host) return;
    this.#abandon(host);
    this.#tell({ kind: 'left', host: host.name });
  }

  #abandon(host: PostgresHost): void {
    for (const member of this.#members) member.leave(host);
  }

  #noteOutdated(answers: ReadonlyMap<PostgresHost, HostState>): void {
    for (const [host, state] of answers) {
      if (state.kind !== 'fit' || !this.#isOutdated(state.timeline)) this.#outdated.delete(host);
      else if (!this.#outdated.has(host)) {
        this.#outdated.add(host);
        this.#tell({ kind: 'outdated', host: host.name, timeline: state.timeline });
      }
    }
  }

  /** Once, whoever listens. */
  #tell(event: HostEvent): void {
    [...this.#members].find(({ onHost }) => onHost)?.onHost?.(event);
  }
}

/** None of the hosts takes writes; the code is that of the reason that tells most. */
export class NoWriterError extends Error {
  override name = 'NoWriterError';
  readonly code: string;

  constructor(answers: ReadonlyMap<PostgresHost, HostState>) {
    const reasons = [...answers].map(([{ name }, state]) => `${name} ${reasonOf(state)}`);
    super(`no host takes writes: ${reasons.join('; ')}`);
    const states = [...answers.values()];
    const faults = states.flatMap((state) => ('fault' in state ? [state.fault] : []));
    const full = faults.find(({ code }) => code === '53300');
    const readOnly = states.some(({ kind }) => kind === 'read-only' || kind === 'fit');
    const refused = faults.find(({ kind }) => kind === 'refused');
    this.code = full?.code ?? (readOnly ? noWriter : (refused ?? faults[0])?.code) ?? 'EHOSTUNREACH';
  }
}

function reasonOf(state: HostState): string {
  if (state.kind === 'fit') return `is of the earlier timeline ${state.timeline}`;
  if (state.kind === 'read-only') return 'is read-only';
  return `is away (${state.fault.message || state.fault.code})`;
}
