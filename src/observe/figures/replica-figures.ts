import { Counter, Gauge, type Registry } from 'prom-client';

export interface ReplicaFigures {
  /** Asks it at each look. There are as many as are configured. */
  readReplicas(read: () => ReplicaState[]): void;
  /** A read is made on a replica or on `primary`. */
  readMade(target: string): void;
  /** A read failed on a replica and was made again on the primary. */
  readRepeated(target: string): void;
  /** A write is sent to where the primary is. */
  writeMadeElsewhere(way: 'forward' | 'replay'): void;
}

interface ReplicaState {
  name: string;
  used: boolean;
  behindMs: number | undefined;
  behindBytes: number | undefined;
}

export function replicaFigures(registry: Registry): ReplicaFigures {
  const registers = [registry];
  let read: () => ReplicaState[] = () => [];
  const gauge = (name: string, help: string, figureOf: (state: ReplicaState) => number | undefined) =>
    new Gauge({
      name,
      help,
      labelNames: ['replica'],
      registers,
      collect() {
        this.reset();
        for (const state of read()) {
          const value = figureOf(state);
          if (value !== undefined) this.set({ replica: state.name }, value);
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
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });
  const made = counter(
    'millrace_reads_total',
    'Reads by the replica that they were made on, or `primary`; counted where there are replicas',
    ['target'],
  );
  const repeated = counter(
    'millrace_reads_repeated_total',
    'Reads that failed on a replica and were made again on the primary',
    ['target'],
  );
  const elsewhere = counter('millrace_writes_elsewhere_total', 'Writes sent to where the primary is', [
    'way',
  ]);
  return {
    readReplicas(states) {
      read = states;
    },
    readMade: (target) => made.inc({ target }),
    readRepeated: (target) => repeated.inc({ target }),
    writeMadeElsewhere: (way) => elsewhere.inc({ way }),
  };
}
