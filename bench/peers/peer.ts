/** What a job carries: the same three fields as a line of the bench's file. */
export interface PeerMessage {
  to: string;
  body: string;
  ref: string;
}

/** One way to run a peer's workers. The bench tries each of a peer's ways and reports its fastest. */
export interface WorkSettings {
  processes: number;
  /** POSTs in flight in each process. */
  concurrency: number;
  /** Jobs that one fetch brings, where the peer can fetch several. */
  fetch: number;
}

export interface WorkContext {
  url: string;
  settings: WorkSettings;
  /** The job itself: POSTs the message and resolves on a 2xx. */
  run(jobId: string, message: PeerMessage): Promise<void>;
}

/** A job queue as the bench drives it. `url` names its database or its Redis. */
export interface Peer {
  readonly name: string;
  readonly store: 'postgres' | 'redis';
  readonly work: readonly WorkSettings[];
  /** Makes the schema and an empty queue. */
  prepare(url: string): Promise<void>;
  openProducer(url: string): Promise<Producer>;
  /** Starts taking jobs at once. */
  openWorker(context: WorkContext): Promise<PeerWorker>;
}

export interface Producer {
  /** Resolves when the store has taken the whole batch. */
  insert(batch: PeerMessage[]): Promise<void>;
  close(): Promise<void>;
}

export interface PeerWorker {
  /** Jobs whose completion is not recorded yet. */
  unfinished(): Promise<number>;
  close(): Promise<void>;
}

/** A peer's package, which is only there once `bench/peers` is installed: the caller says what it uses of it. */
export async function loadPackage<Module>(name: string): Promise<Module> {
  return (await import(name)) as Module;
}
