import { bullmq } from './bullmq.ts';
import { graphileWorker } from './graphile-worker.ts';
import type { Peer } from './peer.ts';
import { pgBoss } from './pg-boss.ts';

/** The queues that Node programs reach for: two that keep their jobs in PostgreSQL, one on Redis. */
export const peers: readonly Peer[] = [pgBoss, graphileWorker, bullmq];
