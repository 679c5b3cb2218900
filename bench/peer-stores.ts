import type { FigureContext } from './figure.ts';
import type { Peer } from './peers/peer.ts';
import { startRedis } from './redis.ts';
import { preparePeer } from './run-peer.ts';

/** Runs `use` on an empty store of the peer's kind: a new database on the run's server, or a Redis of its own. */
export async function withPeerStore<Result>(
  options: { context: FigureContext; peer: Peer },
  use: (url: string) => Promise<Result>,
): Promise<Result> {
  const { context, peer } = options;
  const store = await openStore(context, peer);
  try {
    await preparePeer({ peer, url: store.url });
    return await use(store.url);
  } finally {
    await store.close();
  }
}

async function openStore(
  context: FigureContext,
  peer: Peer,
): Promise<{ url: string; close(): Promise<void> }> {
  if (peer.store === 'redis') {
    const redis = await startRedis(context.dir);
    return { url: redis.url, close: redis.stop };
  }
  const database = await context.server.create('bench_peer');
  return { url: database.url, close: database.drop };
}
