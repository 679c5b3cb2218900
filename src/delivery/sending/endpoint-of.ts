import type { Endpoint } from '../../connectors/connector.ts';
import type { Webhook } from '../../message/webhook.ts';

/** What a connector needs of an account's webhook. Secrets that have ended may still be there until the next rotation. */
export function endpointOf(webhook: Webhook | undefined): Endpoint | undefined {
  if (webhook === undefined) return undefined;
  const { url, secrets, disabled } = webhook;
  const nowMs = Date.now();
  const valid = secrets.filter(({ expiresAt }) => expiresAt === undefined || Date.parse(expiresAt) > nowMs);
  return { url, secrets: valid.map(({ secret }) => secret), disabled: disabled !== undefined };
}
