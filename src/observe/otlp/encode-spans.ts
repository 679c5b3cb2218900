export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Who tells. */
export type Resource = Attributes;

export interface Span {
  traceId: string;
  spanId: string;
  /** Absent for the first of a trace. */
  parentSpanId?: string;
  name: string;
  /** Of a request to somebody else, or of work of our own. */
  kind: 'client' | 'internal';
  /** Unix milliseconds. */
  startMs: number;
  endMs: number;
  /** What went wrong, as a code. */
  errorCode?: string | undefined;
  attributes: Attributes;
}

/** Numbers of the enumerations of OTLP. */
const kindNumber = { internal: 1, client: 3 };
const statusError = 2;

/** An ExportTraceServiceRequest. */
export function encodeSpans(spans: readonly Span[], resource: Resource): string {
  const encoded = spans.map((span) => ({
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId && { parentSpanId: span.parentSpanId }),
    name: span.name,
    kind: kindNumber[span.kind],
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(Math.max(span.startMs, span.endMs)),
    attributes: encodeAttributes(span.attributes),
    status: span.errorCode === undefined ? {} : { code: statusError, message: span.errorCode },
  }));
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: encodeAttributes(resource) },
        scopeSpans: [{ scope: { name: 'millrace' }, spans: encoded }],
      },
    ],
  });
}

/** 64-bit numbers are texts. */
export function nanoseconds(ms: number): string {
  return `${Math.floor(ms)}${String(Math.floor((ms % 1) * 1_000_000)).padStart(6, '0')}`;
}

export function encodeAttributes(attributes: Attributes): { key: string; value: object }[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === null || value === undefined ? [] : [{ key, value: encodeValue(value) }],
  );
}

function encodeValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
