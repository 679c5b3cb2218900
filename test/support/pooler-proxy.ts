import net from 'node:net';

export interface PoolerProxy {
  /** The database's URL by way of the proxy. */
  url: string;
  /** Connections that were refused. */
  readonly refused: number;
  /** From now on nothing of the server arrives, not even its end. */
  fallSilent(): void;
  stop(): Promise<void>;
}

/** Refuses settings of a session as PgBouncer does, in its words, and passes everything else on. */
export async function startPoolerProxy(databaseUrl: string): Promise<PoolerProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<net.Socket>();
  let silent = false;
  let refused = 0;

  const server = net.createServer((client) => {
    track(client);
    client.once('data', (startup) => {
      const setting = ['statement_timeout', 'options'].find((name) => startup.includes(`\0${name}\0`));
      if (setting) {
        refused++;
        return void client.end(refusal(`unsupported startup parameter: ${setting}`));
      }
      const upstream = net.connect(Number(target.port || 5432), target.hostname);
      track(upstream);
      upstream.write(startup);
      client.pipe(upstream);
      upstream.on('data', (answer) => {
        if (!silent) client.write(answer);
      });
      client.on('close', () => upstream.end());
      upstream.on('close', () => {
        if (!silent) client.end();
      });
    });
  });
  function track(socket: net.Socket): void {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as net.AddressInfo).port);
  return {
    url: url.href,
    get refused() {
      return refused;
    },
    fallSilent() {
      silent = true;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An ErrorResponse of the protocol: severity, SQLSTATE, message. */
function refusal(message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C08P01\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
