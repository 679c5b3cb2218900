import { encodeAttributes, nanoseconds, type Resource } from './encode-spans.ts';
import { spanIdOf, traceIdOf } from './message-trace.ts';

/** A line of the log, as it was written. */
export interface LogLine {
  level: number;
  time: string;
  msg?: string;
  /** Set on lines that tell of an attempt. */
  messageId?: string;
  attempt?: number;
  [field: string]: unknown;
}

/** By the levels of pino: the number and the name of OTLP. */
const severities: [number, number, string][] = [
  [60, 21, 'FATAL'],
  [50, 17, 'ERROR'],
  [40, 13, 'WARN'],
  [30, 9, 'INFO'],
  [20, 5, 'DEBUG'],
  [0, 1, 'TRACE'],
];

/** An ExportLogsServiceRequest. Lines of an attempt belong to its trace. */
export function encodeLogs(lines: readonly LogLine[], resource: Resource): string {
  return JSON.stringify({
    resourceLogs: [
      {
        resource: { attributes: encodeAttributes(resource) },
        scopeLogs: [{ scope: { name: 'millrace' }, logRecords: lines.map(encodeLine) }],
      },
    ],
  });
}

function encodeLine({ level, time, msg = '', ...fields }: LogLine): object {
  const [, severityNumber, severityText] = severities.find(([from]) => level >= from)!;
  const { messageId, attempt } = fields;
  const context = messageId && {
    traceId: traceIdOf(messageId),
    ...(attempt !== undefined && { spanId: spanIdOf(messageId, `attempt ${attempt}`) }),
  };
  return {
    timeUnixNano: nanoseconds(Date.parse(time)),
    severityNumber,
    severityText,
    body: { stringValue: msg },
    attributes: encodeAttributes(Object.fromEntries(Object.entries(fields).map(flat))),
    ...context,
  };
}

function flat([name, value]: [string, unknown]): [string, string | number | boolean | null] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return [name, value];
  return [name, value == null ? null : JSON.stringify(value)];
}
