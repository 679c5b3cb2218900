import net from 'node:net';

export interface SlowProxy {
  /** The database's URL by way of the proxy. */
  url: string;
  /** Whether a client was ever made to wait. */
  heldBack(): boolean;
  stop(): Promise<void>;
}

const tickMs = 10;
/** What was not used is kept for so long. */
const burstMs = 100;

/** Lets all connections together send this many bytes a second to a database; answers come unhindered. */
export async function startSlowProxy(databaseUrl: string, bytesPerSecond: number): Promise<SlowProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<net.Socket>();
  const waiting: Array<() => void> = [];
  let allowance = 0;
  let held = false;
  const timer = setInterval(() => {
    allowance = Math.min(allowance + (bytesPerSecond * tickMs) / 1_000, (bytesPerSecond * burstMs) / 1_000);
    while (allowance > 0 && waiting.length > 0) waiting.shift()!();
  }, tickMs);

  const server = net.createServer((client) => {
    const upstream = net.connect(Number(target.port || 5432), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    }
    upstream.pipe(client);
    client.on('data', (bytes) => {
      allowance -= bytes.length;
      upstream.write(bytes);
      if (allowance > 0) return;
      held = true;
      client.pause();
      waiting.push(() => client.resume());
    });
    client.on('close', () => upstream.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as net.AddressInfo).port);
  return {
    url: url.href,
    heldBack: () => held,
    async stop() {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
