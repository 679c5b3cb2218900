import net from 'node:net';

export interface RoundRobinProxy {
  port: number;
  stop(): Promise<void>;
}

/** A balancer without any check: each connection leads to the next of the servers on these ports of this machine. */
export async function startRoundRobinProxy(ports: readonly number[]): Promise<RoundRobinProxy> {
  const sockets = new Set<net.Socket>();
  let turn = 0;
  const server = net.createServer({ noDelay: true }, (client) => {
    const port = ports[turn++ % ports.length]!;
    const upstream = net.connect({ host: '127.0.0.1', port, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
