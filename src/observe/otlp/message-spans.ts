import { spanIdOf, type TraceSampling, traceIdOf } from './message-trace.ts';
import type { OtlpExporter } from './otlp-exporter.ts';

/** Which message a span is of. */
export interface TracedMessage {
  messageId: string;
  batchId: string | null;
  accountId: number;
  route: string;
}

/** The spans of a message, one function each. Times are Unix milliseconds. */
export class MessageSpans {
  readonly #exporter: OtlpExporter;
  readonly #sampling: TraceSampling;

  constructor(exporter: OtlpExporter, sampling: TraceSampling) {
    this.#exporter = exporter;
    this.#sampling = sampling;
  }

  isTraced(messageId: string, batchId: string | null): boolean {
    return this.#sampling.isTraced(messageId, batchId !== null);
  }

  /** It was made durable: from when it got its id, and from the beginning of the transaction. */
  accepted(message: TracedMessage, at: { idMs: number; beganMs: number; storedMs: number }): void {
    const { messageId } = message;
    const startMs = Math.min(at.idMs, at.beganMs);
    const accept = spanIdOf(messageId, 'accept');
    this.#add(message, { name: 'accept', spanId: accept, startMs, endMs: at.storedMs });
    const store = { name: 'store', spanId: spanIdOf(messageId, 'store'), parentSpanId: accept };
    this.#add(message, { ...store, startMs: at.beganMs, endMs: at.storedMs });
  }

  attempted(
    message: TracedMessage,
    at: { attempt: number; answer: string; code?: string | undefined; beganMs: number; endedMs: number },
  ): void {
    const { messageId } = message;
    this.#add(message, {
      ...{ name: 'attempt', kind: 'client' as const, startMs: at.beganMs, endMs: at.endedMs },
      spanId: spanIdOf(messageId, `attempt ${at.attempt}`),
      parentSpanId: spanIdOf(messageId, 'accept'),
      ...(at.answer !== 'sent' && { errorCode: at.code ?? at.answer }),
      attributes: { 'millrace.attempt': at.attempt, 'millrace.answer': at.answer },
    });
  }

  /** It is in the database: from when it was known. What comes of no attempt belongs to the acceptance. */
  recorded(
    message: TracedMessage,
    at: { attempt: number; state: string; code: string | null; knownMs: number; recordedMs: number },
  ): void {
    const { messageId } = message;
    this.#add(message, {
      ...{ name: 'outcome', startMs: at.knownMs, endMs: at.recordedMs },
      spanId: spanIdOf(messageId, `outcome ${at.attempt} ${at.state}`),
      parentSpanId: spanIdOf(messageId, at.attempt > 0 ? `attempt ${at.attempt}` : 'accept'),
      ...(at.code !== null && { errorCode: at.code }),
      attributes: { 'millrace.attempt': at.attempt, 'millrace.state': at.state },
    });
  }

  #add(
    { messageId, batchId, accountId, route }: TracedMessage,
    span: Partial<Parameters<OtlpExporter['span']>[0]> & {
      name: string;
      spanId: string;
      startMs: number;
      endMs: number;
    },
  ): void {
    this.#exporter.span({
      kind: 'internal',
      ...span,
      traceId: traceIdOf(messageId),
      attributes: {
        'millrace.message.id': messageId,
        'millrace.batch.id': batchId,
        'millrace.account.id': accountId,
        'millrace.route': route,
        ...span.attributes,
      },
    });
  }
}
