import type { Socket } from 'node:net';
import type { Sender, SendTerms } from '../../src/connectors/connector.ts';
import { httpConnector } from '../../src/connectors/http/http-connector.ts';
import { type Script, type ScriptedProvider, startProvider } from './scripted-provider.ts';

export const terms: SendTerms = { signal: new AbortController().signal, mayBegin: () => true };

const stops: (() => Promise<void>)[] = [];

/** Called when the test is over, the last first. */
export function stopLater(stop: () => Promise<void>): void {
  stops.push(stop);
}

/** Closes every sender and stops every provider of a test. */
export async function closeSenders(): Promise<void> {
  for (const stop of stops.splice(0).reverse()) await stop();
}

/** A sender of the http connector with one connection. */
export function openSender(options: Record<string, unknown>): Sender {
  const sender = httpConnector.open({ options: { allowPrivate: true, ...options }, concurrency: 1 });
  stopLater(() => sender.close());
  return sender;
}

export async function provide(
  script: Script,
  onConnection?: (socket: Socket) => void,
): Promise<ScriptedProvider> {
  const provider = await startProvider(script, onConnection);
  stopLater(() => provider.stop());
  return provider;
}
