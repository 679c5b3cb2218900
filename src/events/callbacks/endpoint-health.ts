import type { Clock } from '../../lib/clock.ts';
import { offsetsOf } from '../../message/bitmap.ts';
import { decodeChunk, splitFrame } from '../../message/chunk-codec.ts';
import { stateNumber } from '../../message/state.ts';
import { fieldsToShow } from '../../message/stored-message.ts';
import type { Webhook } from '../../message/webhook.ts';
import { changeControl } from '../../store/control/change-control.ts';
import { disableWebhook, noteWebhookHealth } from '../../store/control/webhooks.ts';
import type { Database, Queryable } from '../../store/database.ts';
import { loadChunks } from '../../store/delivery/load-chunks.ts';
import type { FeedRow } from '../../store/reading/read-events.ts';

type CallbackRow = FeedRow & { kind: 'messages' };

export interface EndpointHealthSettings {
  database: Database;
  clock: Clock;
  /** How long an endpoint may fail without a success before it is not called any more. */
  disableAfterMs: number;
  /** Stores the notice to the owner, in the transaction that disables the webhook. */
  tell: (
    transaction: Queryable,
    notice: { webhook: Webhook; reason: string; others: readonly Webhook[] },
  ) => Promise<void>;
  onDisabled: (webhook: Webhook, reason: string) => void;
}

/** An endpoint that fails and works by turns is noted so often at most: every process reads such a change. */
const notePauseMs = 60_000;

/** By the error that the connector gives to HTTP 410 (Standard Webhooks: the endpoint is to be disabled). */
const goneCode = 'endpoint_gone';
/** What was not tried says nothing of the endpoint. */
const untriedCodes: ReadonlySet<string> = new Set(['endpoint_disabled', 'unknown_endpoint']);

/** The last word on an endpoint in a part of the feed. */
interface Finding {
  failing: boolean;
  gone: boolean;
  /** The first failure since the last success. */
  since: Date;
}

/** Sees from what became of callbacks which endpoints fail, and disables those that have failed for too long or are gone. */
export class EndpointHealth {
  readonly #settings: EndpointHealthSettings;
  readonly #notedAtMs = new Map<string, number>();

  constructor(settings: EndpointHealthSettings) {
    this.#settings = settings;
  }

  /** `rows` are the outcomes of callbacks, in the order of the feed. */
  async note(rows: readonly CallbackRow[], webhooks: readonly Webhook[]): Promise<void> {
    const failing = new Set(
      webhooks.filter(({ failingSince }) => failingSince).map(({ accountId }) => accountId),
    );
    const calling = new Set(webhooks.map(({ accountId }) => accountId));
    const telling = rows.filter(
      (row) =>
        calling.has(row.accountId) && (isFailure(row) || (isSuccess(row) && failing.has(row.accountId))),
    );
    if (telling.length === 0) return;
    const findings = await this.#find(telling);
    for (const webhook of webhooks) {
      const finding = findings.get(keyOf(webhook));
      if (finding && !webhook.disabled) await this.#judge(webhook, { finding, webhooks });
    }
  }

  async #find(rows: readonly CallbackRow[]): Promise<Map<string, Finding>> {
    const ids = [...new Set(rows.map(({ id }) => id))];
    const chunks = new Map(
      (await loadChunks(this.#settings.database, { ids })).map((chunk) => [chunk.id, chunk]),
    );
    const findings = new Map<string, Finding>();
    for (const row of rows) {
      const chunk = chunks.get(row.id);
      if (chunk === undefined) continue;
      const lines = splitFrame(decodeChunk(chunk.codec, chunk.payload));
      for (const offset of offsetsOf(row.offsets, row.chunkCount)) {
        const name = fieldsToShow(lines[offset] ?? '').to;
        const key = keyOf({ accountId: row.accountId, name });
        const before = findings.get(key);
        if (isSuccess(row)) findings.set(key, { failing: false, gone: false, since: row.at });
        else {
          const since = before?.failing ? before.since : row.at;
          findings.set(key, { failing: true, gone: row.errorCode === goneCode, since });
        }
      }
    }
    return findings;
  }

  async #judge(
    webhook: Webhook,
    { finding, webhooks }: { finding: Finding; webhooks: readonly Webhook[] },
  ): Promise<void> {
    const { clock, disableAfterMs } = this.#settings;
    const { failing, gone, since } = finding;
    if (!failing) {
      if (webhook.failingSince) await this.#noteHealth(webhook, null);
      return;
    }
    const sinceMs = (webhook.failingSince ?? since).getTime();
    if (gone) {
      await this.#disable(webhook, { webhooks, reason: 'it answered 410 (gone)' });
    } else if (clock.nowMs() - sinceMs >= disableAfterMs) {
      const reason = `it has failed since ${new Date(sinceMs).toISOString()} without a success`;
      await this.#disable(webhook, { webhooks, reason });
    } else if (!webhook.failingSince) await this.#noteHealth(webhook, since);
  }

  async #noteHealth(webhook: Webhook, failingSince: Date | null): Promise<void> {
    const nowMs = this.#settings.clock.monotonicMs();
    const notedAtMs = this.#notedAtMs.get(webhook.id);
    if (notedAtMs !== undefined && nowMs - notedAtMs < notePauseMs) return;
    this.#notedAtMs.set(webhook.id, nowMs);
    await changeControl(this.#settings.database, (transaction) =>
      noteWebhookHealth(transaction, { id: webhook.id, failingSince }),
    );
  }

  async #disable(
    webhook: Webhook,
    { webhooks, reason }: { webhooks: readonly Webhook[]; reason: string },
  ): Promise<void> {
    const { database, tell, onDisabled } = this.#settings;
    const others = webhooks.filter(
      ({ id, accountId, disabled }) => accountId === webhook.accountId && id !== webhook.id && !disabled,
    );
    const disabled = await changeControl(database, async (transaction) => {
      const isFirst = await disableWebhook(transaction, { id: webhook.id, reason });
      if (isFirst) await tell(transaction, { webhook, reason, others });
      return isFirst;
    });
    if (disabled) onDisabled(webhook, reason);
  }
}

function isSuccess({ state }: CallbackRow): boolean {
  return state === stateNumber.sent || state === stateNumber.delivered;
}

function isFailure({ state, errorCode }: CallbackRow): boolean {
  const failed =
    state === stateNumber.retrying ||
    state === stateNumber.failed ||
    state === stateNumber.uncertain ||
    state === stateNumber.expired;
  return failed && !(errorCode !== null && untriedCodes.has(errorCode));
}

function keyOf({ accountId, name }: { accountId: number; name: string }): string {
  return `${accountId}/${name}`;
}
