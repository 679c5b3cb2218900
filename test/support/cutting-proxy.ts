import net from 'node:net';

export interface CuttingProxy {
  /** The target's URL by way of the proxy. */
  url: string;
  /** Resets every connection, on both sides; answers how many there were. */
  cut(): number;
  /** The ports from which the server sees the connections that are open. */
  ports(): number[];
  stop(): Promise<void>;
}

/** What to do with bytes of a client: pass them on, cut before they arrive, or cut when they were answered. */
export type Passage = 'pass' | 'cut' | 'cut when answered';

/** Follows one connection. */
export interface Witness {
  sent(bytes: Buffer): void;
  answered(bytes: Buffer): void;
  /** Nothing of the connection gets through any more. Called once. */
  ended(by: 'cut' | 'client' | 'server'): void;
}

export interface CuttingProxyOptions {
  /** Judges what a client sends, piece by piece. */
  judge?: (sent: Buffer) => Passage;
  /** What of the server's counts as the answer to what is cut when answered; anything. */
  isAnswer?: (answered: Buffer) => boolean;
  /** Makes a witness for each connection. */
  witness?: () => Witness;
}

/** Passes everything on to a server by TCP, until it is told to cut. */
export async function startCuttingProxy(
  targetUrl: string,
  { judge = () => 'pass', isAnswer = () => true, witness }: CuttingProxyOptions = {},
): Promise<CuttingProxy> {
  const target = new URL(targetUrl);
  const pairs = new Set<{ cut(): void; upstream: net.Socket }>();

  const server = net.createServer({ noDelay: true }, (client) => {
    const upstream = net.connect({ host: target.hostname, port: Number(target.port), noDelay: true });
    const seen = witness?.();
    let ended = false;
    const end = (by: 'cut' | 'client' | 'server') => {
      if (!ended) seen?.ended(by);
      ended = true;
    };
    const pair = {
      upstream,
      cut() {
        end('cut');
        pairs.delete(pair);
        // A socket that is ending cannot be reset: libuv refuses, and Node would never close its handle.
        for (const socket of [client, upstream]) {
          if (socket.writableEnded) socket.destroy();
          else socket.resetAndDestroy();
        }
      },
    };
    pairs.add(pair);
    const sides = [
      { socket: client, by: 'client' },
      { socket: upstream, by: 'server' },
    ] as const;
    for (const { socket, by } of sides) {
      socket.on('error', () => {
        end(by);
        pair.cut();
      });
    }
    let swallowing = false;
    client.on('data', (bytes) => {
      const passage = judge(bytes);
      if (passage === 'cut') return pair.cut();
      swallowing ||= passage === 'cut when answered';
      seen?.sent(bytes);
      if (!upstream.write(bytes)) client.pause();
    });
    upstream.on('drain', () => client.resume());
    upstream.on('data', (bytes) => {
      if (swallowing) {
        if (isAnswer(bytes)) pair.cut();
        return;
      }
      if (!ended) seen?.answered(bytes);
      if (!client.write(bytes)) upstream.pause();
    });
    client.on('drain', () => upstream.resume());
    client.on('end', () => {
      end('client');
      upstream.end();
    });
    client.on('close', () => pairs.delete(pair));
    upstream.on('end', () => {
      end('server');
      client.end();
    });
  });

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as net.AddressInfo).port);
  return {
    url: url.href,
    cut() {
      const cut = [...pairs];
      for (const pair of cut) pair.cut();
      return cut.length;
    },
    ports: () => [...pairs].flatMap(({ upstream }) => upstream.localPort ?? []),
    async stop() {
      for (const pair of [...pairs]) pair.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
