import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { State } from '../message/state.ts';

/**
 * The figures at /metrics: one function per event of the business. Labels come from closed sets (route
 * templates, status codes, states, answer kinds) or are capped, so that no sender can grow the page.
 */
export interface Metrics {
  readonly contentType: string;
  render(): Promise<string>;
  /** `route` is the template of the path, such as `/v1/batches/:id`, never the path itself. */
  requestAnswered(event: { method: string; route: string; status: number; seconds: number }): void;
  messagesAccepted(event: { priority: 'interactive' | 'bulk'; count: number }): void;
  linesRejected(count: number): void;
  /** So many messages of requests, or uploads, were refused for this reason. */
  intakeRefused(event: { reason: string; count: number }): void;
  uploadBytesRead(count: number): void;
  /** Asks it at each look: the slots a second that uploads are held to, or undefined while nothing holds them. */
  readUploadPace(read: () => number | undefined): void;
  /** One request to a provider was answered, for `messages` messages. */
  attemptAnswered(event: { route: string; answer: AnswerKind; messages: number; seconds: number }): void;
  outcomesRecorded(event: { state: State; count: number }): void;
  /** What came of receipts of providers; `refused` counts requests. */
  receiptsTold(event: { result: ReceiptResult; count: number }): void;
  /** Requests to webhooks that were made of changes. */
  callbacksMade(count: number): void;
  /** Present values, summed over the workers of this server. */
  deliveryState(state: DeliveryState): void;
  databaseFault(kind: string): void;
  /** Asks it at each look. There are as many as are configured. */
  readReplicas(read: () => ReplicaFigures[]): void;
  /** A read is made on a replica or on `primary`. */
  readMade(target: string): void;
  /** A read failed on a replica and was made again on the primary. */
  readRepeated(target: string): void;
  /** A write is sent to where the primary is. */
  writeMadeElsewhere(way: 'forward' | 'replay'): void;
}

interface ReplicaFigures {
  name: string;
  used: boolean;
  behindMs: number | undefined;
  behindBytes: number | undefined;
}

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

type AnswerKind = 'sent' | 'rejected' | 'retry' | 'uncertain';

interface DeliveryState {
  /** Threads and further processes that deliver. */
  workers: number;
  pendingChunks: number;
  loadedChunks: number;
  sendsInFlight: number;
  ownedShards: number;
}

/** Routes beyond these share the label `other`. */
const routeLabelsMax = 200;
/** In seconds: from a cached read to a slow upload. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: 'millrace_http_request_seconds',
    help: 'Time from the end of a request head to the end of its answer',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: durationBuckets,
    registers,
  });
  const accepted = counter('millrace_messages_accepted_total', 'Messages made durable', ['priority']);
  const rejected = counter('millrace_lines_rejected_total', 'Lines refused for their syntax or shape', []);
  const refused = counter(
    'millrace_intake_refused_total',
    'Messages of requests, and uploads, that an account may not send or that have to wait, by reason',
    ['reason'],
  );
  const uploaded = counter('millrace_upload_bytes_total', 'Bytes of uploads read, decompressed', []);
  let uploadPace: () => number | undefined = () => undefined;
  new Gauge({
    name: 'millrace_upload_pace_slots_per_second',
    help: 'What uploads are held to while single messages come in, in slots of 1,000 lines; 0 while nothing holds them',
    registers,
    collect() {
      this.set(uploadPace() ?? 0);
    },
  });
  const attempts = new Histogram({
    name: 'millrace_attempt_seconds',
    help: 'Time of one request to a provider',
    labelNames: ['route', 'answer'] as const,
    buckets: durationBuckets,
    registers,
  });
  const attempted = counter(
    'millrace_messages_attempted_total',
    'Messages handed to a provider, by its answer',
    ['route', 'answer'],
  );
  const outcomes = counter('millrace_outcomes_total', 'Outcomes recorded, by state', ['state']);
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
  const elsewhere = counter('millrace_writes_elsewhere_total', 'Writes sent to where the primary is', [
    'way',
  ]);
  const faults = counter('millrace_database_faults_total', 'Errors of the database, by kind', ['kind']);
  const workers = gauge('millrace_delivery_workers', 'Processes of this server that deliver');
  const pending = gauge('millrace_pending_chunks', 'Unfinished chunks that this server owns');
  const loaded = gauge('millrace_loaded_chunks', 'Chunks whose payload is in memory');
  const inFlight = gauge('millrace_sends_in_flight', 'Requests to providers that are not answered yet');
  const shards = gauge('millrace_owned_shards', 'Shards that this server owns');
  const replicas = replicaMetrics(registry);
  const routeLabels = new Set<string>();

  function counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers });
  }

  function gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers });
  }

  function routeLabel(route: string): string {
    if (routeLabels.has(route)) return route;
    if (routeLabels.size >= routeLabelsMax) return 'other';
    routeLabels.add(route);
    return route;
  }

  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    requestAnswered({ method, route, status, seconds }) {
      requests.observe({ method, route, status }, seconds);
    },
    messagesAccepted({ priority, count }) {
      accepted.inc({ priority }, count);
    },
    linesRejected: (count) => rejected.inc(count),
    intakeRefused: ({ reason, count }) => refused.inc({ reason }, count),
    uploadBytesRead: (count) => uploaded.inc(count),
    readUploadPace(read) {
      uploadPace = read;
    },
    attemptAnswered({ route, answer, messages, seconds }) {
      const labels = { route: routeLabel(route), answer };
      attempts.observe(labels, seconds);
      attempted.inc(labels, messages);
    },
    outcomesRecorded: ({ state, count }) => outcomes.inc({ state }, count),
    receiptsTold: ({ result, count }) => receipts.inc({ result }, count),
    callbacksMade: (count) => callbacks.inc(count),
    deliveryState(state) {
      workers.set(state.workers);
      pending.set(state.pendingChunks);
      loaded.set(state.loadedChunks);
      inFlight.set(state.sendsInFlight);
      shards.set(state.ownedShards);
    },
    writeMadeElsewhere: (way) => elsewhere.inc({ way }),
    databaseFault: (kind) => faults.inc({ kind }),
    ...replicas,
  };
}

function replicaMetrics(registry: Registry): Pick<Metrics, 'readReplicas' | 'readMade' | 'readRepeated'> {
  const registers = [registry];
  let read: () => ReplicaFigures[] = () => [];
  const gauge = (name: string, help: string, figureOf: (figures: ReplicaFigures) => number | undefined) =>
    new Gauge({
      name,
      help,
      labelNames: ['replica'],
      registers,
      collect() {
        this.reset();
        for (const figures of read()) {
          const value = figureOf(figures);
          if (value !== undefined) this.set({ replica: figures.name }, value);
        }
      },
    });
  gauge('millrace_replica_used', '1 while a replica answers reads, 0 while it is left out', ({ used }) =>
    used ? 1 : 0,
  );
  gauge('millrace_replica_lag_seconds', 'For how long a replica has lacked something', ({ behindMs }) =>
    behindMs === undefined ? undefined : behindMs / 1_000,
  );
  gauge(
    'millrace_replica_lag_bytes',
    'What a replica has not replayed of the log',
    ({ behindBytes }) => behindBytes,
  );
  const labelNames = ['target'] as const;
  const made = new Counter({
    name: 'millrace_reads_total',
    help: 'Reads by the replica that they were made on, or `primary`; counted where there are replicas',
    labelNames,
    registers,
  });
  const repeated = new Counter({
    name: 'millrace_reads_repeated_total',
    help: 'Reads that failed on a replica and were made again on the primary',
    labelNames,
    registers,
  });
  return {
    readReplicas(figures) {
      read = figures;
    },
    readMade: (target) => made.inc({ target }),
    readRepeated: (target) => repeated.inc({ target }),
  };
}
