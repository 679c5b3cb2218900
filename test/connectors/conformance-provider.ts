import type { Socket } from 'node:net';
import type { MessageFields } from '../../src/message/fields.ts';
import type { ConformanceProvider, ProviderConduct } from './conformance.ts';
import {
  httpAnswer,
  type Script,
  type ScriptedProvider,
  type SeenRequest,
  startProvider,
} from './scripted-provider.ts';

/** A provider over HTTP, by what it answers and how its messages are told. */
export interface ProviderSpeech {
  /** The whole text of the answer that takes all messages of the request. */
  take: (request: SeenRequest) => string;
  /** The whole text of the answer that refuses them for good. */
  refuse: string;
  /** Ids of the messages in a request. */
  ids: (request: SeenRequest) => string[];
  options: (provider: ScriptedProvider) => Record<string, unknown>;
  fields?: (provider: ScriptedProvider) => MessageFields;
}

export async function conformanceProvider(
  speech: ProviderSpeech,
  conduct: ProviderConduct,
  more: Record<string, unknown>,
): Promise<ConformanceProvider> {
  let taken: Promise<number> | undefined;
  const scripts: Record<ProviderConduct, Script> = {
    take: (socket, request) => socket.write(speech.take(request)),
    busy: (socket) => socket.write(httpAnswer(503, '')),
    'slow-down': (socket) => socket.write(httpAnswer(429, '', { 'retry-after': '7' })),
    refuse: (socket) => socket.write(speech.refuse),
    fail: (socket) => socket.write(httpAnswer(500, '')),
    hang: () => {},
    endless: (socket) => {
      taken = stream(socket);
    },
    cut: (socket) => socket.resetAndDestroy(),
    'cut-once': (socket, request, n) => (n === 1 ? scripts.cut : scripts.take)(socket, request, n),
  };
  const provider = await startProvider(scripts[conduct]);
  return {
    ...told(speech, provider, more),
    receivedIds: () => provider.requests.flatMap(speech.ids),
    received: (n) => provider.received(n),
    connectionsOpenMax: () => provider.connections.openMax,
    answerTaken: () => taken ?? Promise.resolve(0),
    stop: () => provider.stop(),
  };
}

/** Options and fields of a provider that has gone. */
export async function goneProvider(speech: ProviderSpeech, more: Record<string, unknown> = {}) {
  const gone = await startProvider(() => {});
  await gone.stop();
  return told(speech, gone, more);
}

function told(speech: ProviderSpeech, provider: ScriptedProvider, more: Record<string, unknown>) {
  const fields = speech.fields?.(provider);
  return {
    options: { allowPrivate: true, ...speech.options(provider), ...more },
    ...(fields !== undefined && { fields }),
  };
}

const answerBytes = 256 * 1_048_576;
const part = Buffer.alloc(65_536, 'x');

/** Writes an answer as fast as it is read, until it is whole or the sender hangs up. Tells how much was taken. */
async function stream(socket: Socket): Promise<number> {
  socket.write(`HTTP/1.1 200 X\r\ncontent-length: ${answerBytes}\r\n\r\n`);
  let bytes = 0;
  while (!socket.destroyed && bytes < answerBytes) {
    bytes += part.length;
    if (socket.write(part)) continue;
    await new Promise<void>((resolve) => {
      socket.once('drain', resolve);
      socket.once('close', () => resolve());
    });
    socket.removeAllListeners('drain');
  }
  return bytes;
}
