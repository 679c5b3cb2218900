import type { Clock } from '../../lib/clock.ts';
import { encodeLogs, type LogLine } from './encode-logs.ts';
import { encodeSpans, type Resource, type Span } from './encode-spans.ts';

export interface OtlpSettings {
  /** `/v1/traces` and `/v1/logs` come behind it. */
  endpoint: string;
  headers: Readonly<Record<string, string>>;
  resource: Resource;
  clock: Clock;
  onError: (error: unknown) => void;
}

type Signal = 'traces' | 'logs';

/** What waits of each signal; beyond is dropped and counted: a collector that is away must not delay a message. */
const queueMax = 10_000;
const requestMax = 1_000;
const everyMs = 1_000;
const timeoutMs = 10_000;
/** The time that the last of it gets when the process stops. */
const closeMs = 2_000;

/**
 * Sends spans and log lines to a collector: OTLP over HTTP, in JSON (opentelemetry.io/docs/specs/otlp). A request that fails is tried
 * once more, then dropped.
 */
export class OtlpExporter {
  readonly #settings: OtlpSettings;
  readonly #spans: Span[] = [];
  readonly #lines: LogLine[] = [];
  readonly #timer: NodeJS.Timeout;
  #sending: Promise<void> | undefined;
  #dropped = 0;

  constructor(settings: OtlpSettings) {
    this.#settings = settings;
    this.#timer = setInterval(() => this.#flushSoon(), everyMs);
    this.#timer.unref();
  }

  span(span: Span): void {
    this.#add(this.#spans, span);
  }

  line(line: LogLine): void {
    this.#add(this.#lines, line);
  }

  /** Spans and lines that were dropped since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Sends what waits, for a moment. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const rest = (async () => {
      await this.#sending;
      await this.#flush();
    })();
    await Promise.race([rest, this.#settings.clock.sleep(closeMs)]);
  }

  #add<Item>(queue: Item[], item: Item): void {
    if (queue.length >= queueMax) this.#dropped++;
    else queue.push(item);
    if (queue.length >= requestMax) this.#flushSoon();
  }

  #flushSoon(): void {
    this.#sending ??= this.#flush().finally(() => {
      this.#sending = undefined;
    });
  }

  async #flush(): Promise<void> {
    const { resource } = this.#settings;
    while (this.#spans.length + this.#lines.length > 0) {
      const spans = this.#spans.splice(0, requestMax);
      if (spans.length > 0) await this.#post('traces', encodeSpans(spans, resource), spans.length);
      const lines = this.#lines.splice(0, requestMax);
      if (lines.length > 0) await this.#post('logs', encodeLogs(lines, resource), lines.length);
    }
  }

  async #post(signal: Signal, body: string, count: number): Promise<void> {
    try {
      await this.#try(signal, body).catch(() => this.#try(signal, body));
    } catch (error) {
      this.#dropped += count;
      this.#settings.onError(error);
    }
  }

  async #try(signal: Signal, body: string): Promise<void> {
    const { endpoint, headers } = this.#settings;
    const response = await fetch(`${endpoint.replace(/\/+$/, '')}/v1/${signal}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`the OTLP collector answered ${response.status} to ${signal}`);
  }
}
