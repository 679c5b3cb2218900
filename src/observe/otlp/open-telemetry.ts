import { hostname } from 'node:os';
import { systemClock } from '../../lib/clock.ts';
import { packageVersion } from '../../lib/package-root.ts';
import type { LogLine } from './encode-logs.ts';
import { MessageSpans } from './message-spans.ts';
import { TraceSampling } from './message-trace.ts';
import { OtlpExporter } from './otlp-exporter.ts';

/** Where traces and logs go besides, and how many messages are traced. */
export interface TelemetrySettings {
  endpoint: string;
  headers: Readonly<Record<string, string>>;
  /** Parts of 1. */
  singles: number;
  batches: number;
}

export interface Telemetry {
  spans: MessageSpans;
  /** A line of the log, as it was written. */
  write(line: string): void;
  /** Spans and lines that were dropped since the last call. */
  takeDropped(): number;
  close(): Promise<void>;
}

/** A collector that is away is told of once in so long. */
const tellEveryMs = 60_000;

export function openTelemetry(settings: TelemetrySettings, part: string): Telemetry {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const exporter = new OtlpExporter({
    endpoint: settings.endpoint,
    headers: settings.headers,
    clock: systemClock,
    resource: {
      'service.name': 'millrace',
      'service.version': packageVersion(),
      'service.instance.id': `${hostname()}:${process.pid}:${part}`,
      'host.name': hostname(),
      'process.pid': process.pid,
    },
    onError(error) {
      const nowMs = systemClock.monotonicMs();
      if (nowMs - toldAtMs < tellEveryMs) return;
      toldAtMs = nowMs;
      // Not by the log, which is sent there as well.
      const { message, cause } = error as Error;
      const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
      process.stderr.write(`traces and logs do not reach the OTLP collector and are dropped: ${why}\n`);
    },
  });
  return {
    spans: new MessageSpans(exporter, new TraceSampling(settings)),
    write: (line) => exporter.line(JSON.parse(line) as LogLine),
    takeDropped: () => exporter.takeDropped(),
    close: () => exporter.close(),
  };
}
