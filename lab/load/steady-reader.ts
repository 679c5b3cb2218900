import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { brokenBy, type Refusal } from './broken-by.ts';
import { adminKey } from './millrace.ts';
import { Tally } from './tally.ts';

const openMax = 50;
const requestMs = 20_000;
const connectMs = 2_000;

/** Asks again and again at a pace, whether the last has been answered or not. */
abstract class Reader {
  readonly tally = new Tally();
  readonly #ending = new AbortController();
  readonly #open = new Set<Promise<void>>();
  readonly #pace: Promise<void>;

  constructor(everyMs: number) {
    this.#pace = this.#begin(everyMs);
  }

  protected abstract read(): Promise<void>;

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#pace;
    await Promise.all(this.#open);
  }

  async #begin(everyMs: number): Promise<void> {
    // The subclass is not made yet.
    await sleep(everyMs);
    while (!this.#ending.signal.aborted) {
      if (this.#open.size < openMax) {
        const reading = this.read().catch((error: Error) => this.tally.fail(error.message));
        this.#open.add(reading);
        void reading.then(() => this.#open.delete(reading));
      }
      await sleep(everyMs, undefined, { signal: this.#ending.signal }).catch(() => {});
    }
  }
}

/** Looks messages up through Millrace that were accepted. */
export class SteadyReader extends Reader {
  readonly #url: string;
  readonly #accepted: ReadonlyMap<string, string>;
  readonly #ids: string[] = [];
  /** Accepted messages that Millrace did not know. */
  readonly unknown = new Set<string>();
  /** Answers that break a promise, as those of the writer. */
  readonly wrong: string[] = [];
  #turn = 0;

  constructor(options: { url: string; accepted: ReadonlyMap<string, string> }) {
    super(100);
    this.#url = options.url;
    this.#accepted = options.accepted;
  }

  protected async read(): Promise<void> {
    const id = this.#next();
    if (id === undefined) return;
    const response = await fetch(`${this.#url}/v1/messages/${id}`, {
      headers: { authorization: `Bearer ${adminKey}` },
      signal: AbortSignal.timeout(requestMs),
    });
    const refusal = (await response.json()) as Refusal;
    if (response.status === 200) return this.tally.succeed();
    this.tally.fail(`${response.status} ${refusal.code}: ${refusal.detail}`);
    if (response.status === 404) {
      this.unknown.add(id);
      return;
    }
    const broken = brokenBy(response, refusal);
    if (broken !== undefined) this.wrong.push(`reading ${id}: ${broken}`);
  }

  /** The newest and older ones in turn. */
  #next(): string | undefined {
    if (this.#ids.length < this.#accepted.size) {
      this.#ids.push(...[...this.#accepted.values()].slice(this.#ids.length));
      return this.#ids.at(-1);
    }
    return this.#ids.length === 0 ? undefined : this.#ids[(this.#turn++ * 7) % this.#ids.length];
  }
}

/** Asks whichever replica HAProxy chooses, each time on a new connection. */
export class ReplicaReader extends Reader {
  readonly #url: string;

  constructor(url: string) {
    super(250);
    this.#url = url;
  }

  protected async read(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      connectionTimeoutMillis: connectMs,
      query_timeout: connectMs,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT count(*) FROM probe WHERE timeline < 0');
      this.tally.succeed();
    } finally {
      await client.end().catch(() => {});
    }
  }
}
