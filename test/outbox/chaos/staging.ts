import { setTimeout as sleep } from 'node:timers/promises';
import { type StagedMessage, stage } from '../../../src/client/outbox.ts';
import type { AppConnection, AppDatabase } from '../app-database.ts';
import { routeName } from '../outbox-site.ts';

interface StagingSettings {
  app: AppDatabase;
  /** To be committed; what is rolled back comes on top. */
  rows: number;
  random: () => number;
}

const customers = 4;
/** Of one transaction; fewer where the run is short. */
const transactionRowsMax = 800;
const rolledBackRate = 0.1;
/** Transactions that stay open for a while after they have staged, so that later ones commit before them. */
const lateRate = 0.2;
const lateMsMax = 150;
/** A key's messages go to the provider one at a time: of many keys, few each. */
const keyedRate = 0.02;
const keys = 100;
const allowancePollMs = 20;

/** Customers of an application, whose transactions stage messages. The reference of each message is a number. */
export class Staging {
  /** By the reference: 1 for committed, 2 for rolled back. */
  readonly fate = new Map<string, 'committed' | 'rolled back'>();
  /** References of each key in the order of their commits. */
  readonly ordered = new Map<string, string[]>();
  committed = 0;
  readonly #settings: StagingSettings;
  #allowed = 0;
  #next = 0;
  #begun = 0;

  constructor(settings: StagingSettings) {
    this.#settings = settings;
  }

  /** So much of all may be staged by now. */
  allow(share: number): void {
    this.#allowed = Math.ceil(this.#settings.rows * share);
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: customers }, () => this.#customer()));
  }

  async #customer(): Promise<void> {
    const connection = await this.#settings.app.connect();
    try {
      while (this.#begun < this.#settings.rows) {
        if (this.#begun >= this.#allowed) await sleep(allowancePollMs);
        else await this.#transaction(connection);
      }
    } finally {
      await connection.end();
    }
  }

  async #transaction(connection: AppConnection): Promise<void> {
    const { rows, random } = this.#settings;
    const most = Math.min(transactionRowsMax, Math.ceil(rows / 50), this.#allowed - this.#begun);
    const count = 1 + Math.floor(random() * most);
    const rollsBack = random() < rolledBackRate;
    if (!rollsBack) this.#begun += count;
    const key = random() < keyedRate * 10 ? `key-${Math.floor(random() * keys)}` : undefined;
    const keyed = key === undefined ? 0 : Math.ceil(count * 0.1);
    const messages = Array.from({ length: count }, (_, index) =>
      this.#message(index < keyed ? key : undefined),
    );
    await connection.begin();
    await stage(connection.staging, messages);
    if (random() < lateRate) await sleep(random() * lateMsMax);
    if (rollsBack) {
      await connection.rollback();
      for (const { ref } of messages) this.fate.set(ref, 'rolled back');
      return;
    }
    // Noted while the key is locked: after the COMMIT another one may have been faster to say so.
    if (key !== undefined) {
      const list = this.ordered.get(key) ?? [];
      list.push(...messages.slice(0, keyed).map(({ ref }) => ref));
      this.ordered.set(key, list);
    }
    await connection.commit();
    for (const { ref } of messages) this.fate.set(ref, 'committed');
    this.committed += count;
  }

  #message(key: string | undefined): StagedMessage & { ref: string } {
    const number = this.#next++;
    return {
      to: `+316${String(10_000_000 + (number % 90_000_000))}`,
      body: `Message ${number}`,
      ref: String(number),
      route: routeName,
      priority: 'bulk',
      ...(key !== undefined && { orderingKey: key, metadata: { key } }),
    };
  }
}
