/** An endpoint that is told of messages and batches. */
export interface WebhookEndpoint {
  id: string;
  name: string;
  url: string;
  events: string[];
  filter: { routes?: string[]; tags?: string[] };
  batchMax: number;
  state: 'enabled' | 'disabled';
  disabledReason?: string;
  disabledAt?: string;
  /** No request has succeeded since. */
  failingSince?: string;
  secrets: { hint: string; createdAt: string; expiresAt?: string }[];
  createdAt: string;
  /** What requests are signed with: only in the answer that made it. */
  secret?: string;
}

export interface NewWebhookEndpoint {
  name: string;
  url: string;
  events?: readonly string[];
  filter?: { routes?: readonly string[]; tags?: readonly string[] };
  batchMax?: number;
}
