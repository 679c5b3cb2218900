import type { Cluster } from './cluster/cluster.ts';
import type { Role } from './cluster/node-watch.ts';
import type { ScenarioLoad } from './load/scenario-load.ts';
import { type NodeName, nodeNames } from './network.ts';

export interface NodeSample {
  role: Role;
  timeline: number | undefined;
  /** Bytes that it has not replayed of what the primary has written; undefined where one of them cannot be asked. */
  lagBytes: number | undefined;
  /** It acknowledged a write since the sample before. */
  accepts: boolean;
}

/** One look at everything. Counts are of the time since the sample before. */
export interface Sample {
  /** Seconds since the scenario began. */
  at: number;
  nodes: Record<NodeName, NodeSample>;
  writes: number;
  reads: number;
  replicaReads: number;
  errors: number;
  delivered: number;
}

export interface Action {
  at: number;
  what: string;
}

export const sampleEveryMs = 500;

/** Keeps the course of a scenario. */
export class Recorder {
  readonly samples: Sample[] = [];
  readonly actions: Action[] = [];
  readonly beganAt = performance.now();
  readonly #cluster: Cluster;
  readonly #load: ScenarioLoad;
  readonly #onSample: (sample: Sample) => void;
  readonly #timer: NodeJS.Timeout;
  #before = { at: this.beganAt, writes: 0, reads: 0, replicaReads: 0, errors: 0, delivered: 0 };

  constructor(options: { cluster: Cluster; load: ScenarioLoad; onSample: (sample: Sample) => void }) {
    this.#cluster = options.cluster;
    this.#load = options.load;
    this.#onSample = options.onSample;
    this.#before.delivered = this.#load.sink.distinct;
    this.#timer = setInterval(() => this.#sample(), sampleEveryMs);
  }

  /** Seconds since the beginning. */
  now(): number {
    return (performance.now() - this.beganAt) / 1_000;
  }

  act(what: string): void {
    this.actions.push({ at: this.now(), what });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    const { writer, reader, replicaReader, sink } = this.#load;
    const before = this.#before;
    const now = {
      at: performance.now(),
      writes: writer.tally.successes.length,
      reads: reader.tally.successes.length,
      replicaReads: replicaReader.tally.successes.length,
      errors: writer.tally.errorCount + reader.tally.errorCount + replicaReader.tally.errorCount,
      delivered: sink.distinct,
    };
    this.#before = now;
    const sample: Sample = {
      at: this.now(),
      nodes: sampleNodes(this.#cluster, before.at),
      writes: now.writes - before.writes,
      reads: now.reads - before.reads,
      replicaReads: now.replicaReads - before.replicaReads,
      errors: now.errors - before.errors,
      delivered: now.delivered - before.delivered,
    };
    this.samples.push(sample);
    this.#onSample(sample);
    sink.pull().catch(() => {});
  }
}

function sampleNodes({ watches, primary }: Cluster, since: number): Record<NodeName, NodeSample> {
  const leader = primary();
  const written = leader && watches[leader].state.position;
  const nodes = {} as Record<NodeName, NodeSample>;
  for (const name of nodeNames) {
    const { state, lastAcknowledgedAt } = watches[name];
    const { role, timeline, position } = state;
    const known = written !== undefined && position !== undefined;
    // The primary may have been asked a moment before the replica.
    const lagBytes = known && role === 'replica' ? Math.max(0, Number(written - position)) : undefined;
    nodes[name] = { role, timeline, lagBytes, accepts: lastAcknowledgedAt > since };
  }
  return nodes;
}
