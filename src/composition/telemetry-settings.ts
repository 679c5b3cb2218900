import type { Config } from '../config/resolve-config.ts';
import type { TelemetrySettings } from '../observe/otlp/open-telemetry.ts';

/** Undefined where no collector is named. */
export function telemetrySettings(config: Config): TelemetrySettings | undefined {
  const {
    otlpEndpoint: endpoint,
    otlpHeaders: headers,
    traceRatio: singles,
    batchTraceRatio: batches,
  } = config;
  return endpoint === undefined ? undefined : { endpoint, headers, singles, batches };
}
