import { Counter, Gauge, type Registry } from 'prom-client';

export interface MachineFigures {
  /** Asks it at each look: the file system of the data directory; undefined while it does not tell. */
  readDisk(read: () => Promise<DiskState | undefined>): void;
  /** So many spans and log lines did not reach their collector. */
  telemetryDropped(count: number): void;
  /** Asks it at each look: how many did not since the last one. */
  readTelemetryDropped(read: () => number): void;
  /** What runs here. */
  runs(build: { version: string }): void;
}

export interface DiskState {
  freeBytes: number;
  sizeBytes: number;
}

export function machineFigures(registry: Registry): MachineFigures {
  const registers = [registry];
  let read: () => Promise<DiskState | undefined> = async () => undefined;
  const gauge = (name: string, help: string, figureOf: (state: DiskState) => number) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const state = await read();
        if (state === undefined) this.remove();
        else this.set(figureOf(state));
      },
    });
  gauge(
    'millrace_data_disk_free_bytes',
    'Bytes free on the file system of the data directory',
    ({ freeBytes }) => freeBytes,
  );
  gauge('millrace_data_disk_size_bytes', 'Its size', ({ sizeBytes }) => sizeBytes);
  let readDropped = () => 0;
  const dropped = new Counter({
    name: 'millrace_telemetry_dropped_total',
    help: 'Spans and log lines that did not reach the OTLP collector',
    registers,
    collect() {
      this.inc(readDropped());
    },
  });
  const info = new Gauge({
    name: 'millrace_build_info',
    help: 'Always 1; the version is in the label',
    labelNames: ['version'] as const,
    registers,
  });
  return {
    readDisk(reading) {
      read = reading;
    },
    telemetryDropped: (count) => dropped.inc(count),
    readTelemetryDropped(reading) {
      readDropped = reading;
    },
    runs({ version }) {
      info.set({ version }, 1);
    },
  };
}
