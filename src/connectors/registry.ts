import type { Connector } from './connector.ts';
import { httpConnector } from './http/http-connector.ts';
import { webhookConnector } from './webhook/webhook-connector.ts';

/** The connectors that routes may name. */
export const connectors: ReadonlyMap<string, Connector> = new Map(
  [httpConnector, webhookConnector].map((connector) => [connector.name, connector]),
);
