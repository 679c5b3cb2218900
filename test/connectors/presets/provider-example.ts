import type { Answer, ReceiptReading } from '../../../src/connectors/connector.ts';
import type { MessageFields } from '../../../src/message/fields.ts';
import type { SeenRequest } from '../scripted-provider.ts';

export const id = '0190b3e8-0000-7000-8000-000000000001';
/** That of the second replay of a message that had failed. */
export const key = `${id}.2`;

/** A provider's answer to a send, as its documentation shows it. */
export interface ExampleReply {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}

/** A provider's callback, with what proves that it is the provider's. */
export interface ExampleCallback {
  body: string;
  headers: Record<string, string>;
}

/** What the documentation of one provider shows, and what Millrace makes of it. */
export interface ProviderExample {
  preset: string;
  /** Credentials; the URL is the simulator's. */
  options: Record<string, string>;
  fields: MessageFields;
  /** What the provider must get. `body` is read as `encoding` says. */
  posted: {
    path: string;
    headers: Record<string, unknown>;
    read: (request: SeenRequest) => unknown;
    body: unknown;
  };
  sent: ExampleReply & { providerRef: string };
  refusals: [name: string, reply: ExampleReply, answer: Partial<Answer> | object][];
  /** Adds what proves that the callback is the provider's. */
  sign: (callback: { url: string; body: string }) => ExampleCallback;
  /** Makes another's of the callback; without it, the headers are left out. */
  forge?: (callback: ExampleCallback) => ExampleCallback;
  /** The query stands behind the URL of the route's receipts. */
  receipts: [name: string, body: string, reading: Partial<ReceiptReading> | object, query?: string][];
}

export const json = ({ body }: SeenRequest): unknown => JSON.parse(body);

export const form = ({ body }: SeenRequest): unknown => Object.fromEntries(new URLSearchParams(body));
