import { systemClock } from '../lib/clock.ts';
import { endStranded } from './end-stranded.ts';
import { type EmbeddedOptions, type EmbeddedServer, startEmbedded } from './start-embedded.ts';

export interface KeptServer {
  /** With the password: not for logs. The same for as long as it is kept. */
  url: string;
  /** Ends the server in order; its clients should have closed. May be called twice. */
  stop(): Promise<void>;
}

export interface KeepEmbeddedOptions extends Omit<EmbeddedOptions, 'port'> {
  /** It ended by itself, or could not be started again: it is tried until `stop`. */
  onFault: (error: Error) => void;
}

/** Before each start, doubled after each that failed: a full disk may take hours to be mended, and each start says so in the log. */
const restartPauseMs = { min: 500, max: 10_000 };

/**
 * Starts the PostgreSQL that comes along, and starts it again at the same address whenever it ends by itself:
 * killed for want of memory, or given up because its disk was full. One that is stuck is ended first.
 * @throws EmbeddedError when the first start fails
 */
export async function keepEmbedded({ onFault, ...options }: KeepEmbeddedOptions): Promise<KeptServer> {
  const stopping = new AbortController();
  const { signal } = stopping;
  let server = await startEmbedded(options);
  const { url, port } = server;
  const kept = keep();

  async function keep(): Promise<void> {
    for (;;) {
      const over = new AbortController();
      const watch = AbortSignal.any([signal, over.signal]);
      const told = (reason: string) => onFault(new Error(reason));
      const watching = endStranded({ pid: server.pid, onStranded: told, signal: watch });
      await server.ended;
      over.abort();
      await watching;
      if (signal.aborted) return;
      onFault(new Error(`PostgreSQL (process ${server.pid}) ended by itself; it is started again`));
      const next = await startAgain();
      if (!next) return;
      server = next;
    }
  }

  async function startAgain(): Promise<EmbeddedServer | undefined> {
    const { min, max } = restartPauseMs;
    for (let pauseMs = min; !signal.aborted; pauseMs = Math.min(2 * pauseMs, max)) {
      try {
        await systemClock.sleep(pauseMs, signal);
        return await startEmbedded({ ...options, port, signal });
      } catch (error) {
        if (!signal.aborted) onFault(error as Error);
      }
    }
    return undefined;
  }

  return {
    url,
    async stop() {
      stopping.abort();
      await server.stop();
      await kept;
      // One that had come up just before `stop` was called.
      await server.stop();
    },
  };
}
