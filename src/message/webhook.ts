import type { State } from './state.ts';

/** The names of events, as `type` of a callback has them. */
export const messageEventTypes = [
  'message.sending',
  'message.retrying',
  'message.sent',
  'message.delivered',
  'message.failed',
  'message.expired',
  'message.canceled',
  'message.suppressed',
  'message.uncertain',
  'message.queued',
] as const satisfies readonly `message.${State}`[];

export const batchEventTypes = [
  'batch.open',
  'batch.delivering',
  'batch.paused',
  'batch.canceled',
  'batch.done',
] as const;

/** A notice to the owner: one of the account's endpoints is not called any more. */
export const disabledEventType = 'webhook.disabled';

export const eventTypes = [...messageEventTypes, ...batchEventTypes, disabledEventType] as const;
export type EventType = (typeof eventTypes)[number];

/** What an endpoint is told that does not say: how messages and batches ended, and that an endpoint was disabled. */
export const eventTypesDefault: readonly EventType[] = [
  'message.sent',
  'message.delivered',
  'message.failed',
  'message.expired',
  'message.canceled',
  'message.suppressed',
  'message.uncertain',
  'batch.done',
  'batch.canceled',
  disabledEventType,
];

/** Which of the events are meant; absent members let all through. */
export interface WebhookFilter {
  /** Names of routes. Events of batches go by the route of the batch. */
  routes?: readonly string[];
  /** Messages with one of these tags. Events of batches have none, and are left out by it. */
  tags?: readonly string[];
}

export interface WebhookSecret {
  /** `whsec_` and base64. */
  secret: string;
  createdAt: string;
  /** RFC 3339; until then requests are signed with it as well. */
  expiresAt?: string;
}

/** An endpoint of an account that is told of what becomes of its messages and batches. */
export interface Webhook {
  id: string;
  accountId: number;
  /** Unique in the account; messages on a webhook route may be sent `to` it. */
  name: string;
  url: string;
  /** The newest first. */
  secrets: readonly WebhookSecret[];
  events: readonly EventType[];
  filter: WebhookFilter;
  /** Events that one request may carry. */
  batchMax: number;
  /** Where in the change feed it begins. */
  begins: string;
  createdAt: Date;
  /** What waits for it may be addressed by one of these. */
  formerNames: readonly string[];
  /** The first failure since the last success. */
  failingSince?: Date;
  /** It is not called; the reason is meant to be read. */
  disabled?: { at: Date; reason: string };
}

export const webhookNamePattern = '^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$';

/** The route that callbacks take. It is made with the first webhook; an administrator may change its pace. */
export const callbackRouteName = 'callbacks';
