import type { Repeat, SinkWatch } from '../../test/chaos/sink-watch.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { probeDatabase } from '../cluster/node-watch.ts';
import { Flood, type FloodBooks } from './flood.ts';
import type { Millrace } from './millrace.ts';
import { ReplicaReader, SteadyReader } from './steady-reader.ts';
import { SteadyWriter } from './steady-writer.ts';

/** Who sends and reads during one scenario. What it sends carries the prefix in its references. */
export class ScenarioLoad {
  readonly prefix: string;
  readonly sink: SinkWatch;
  readonly writer: SteadyWriter;
  readonly reader: SteadyReader;
  readonly replicaReader: ReplicaReader;
  readonly beganUnixMs = Date.now();
  readonly #options: { cluster: Cluster; millrace: Millrace; directory: string; floodMessages: number };
  /** How many repeats the sink had seen before. */
  readonly #repeatsBefore: number;
  #flood: Flood | undefined;

  constructor(options: {
    cluster: Cluster;
    millrace: Millrace;
    directory: string;
    prefix: string;
    floodMessages: number;
  }) {
    const { cluster, millrace, prefix } = options;
    this.#options = options;
    this.prefix = prefix;
    this.sink = millrace.sink;
    this.#repeatsBefore = millrace.sink.repeats.length;
    this.writer = new SteadyWriter({ url: millrace.url, prefix });
    this.reader = new SteadyReader({ url: millrace.url, accepted: this.writer.books.accepted });
    this.replicaReader = new ReplicaReader(cluster.databaseUrl('replicas', probeDatabase));
  }

  /** The same one however often it is asked for. */
  flood(): Promise<FloodBooks> {
    const { millrace, directory, floodMessages } = this.#options;
    this.#flood ??= new Flood({ url: millrace.url, prefix: this.prefix, directory, messages: floodMessages });
    return this.#flood.done;
  }

  /** What came to the sink again since the beginning. */
  repeats(): Repeat[] {
    return this.sink.repeats.slice(this.#repeatsBefore);
  }

  async end(): Promise<FloodBooks> {
    await Promise.all([this.writer.end(), this.reader.end(), this.replicaReader.end()]);
    return await this.flood();
  }

  abandon(): void {
    this.#flood?.abandon();
  }
}
