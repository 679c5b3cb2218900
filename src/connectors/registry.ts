import type { Connector } from './connector.ts';
import { httpConnector } from './http/http-connector.ts';

/** The connectors that routes may name. */
export const connectors: ReadonlyMap<string, Connector> = new Map(
  [httpConnector].map((connector) => [connector.name, connector]),
);
