import type { Figure } from './figure.ts';
import { accept } from './figures/accept.ts';
import { acceptPeers } from './figures/accept-peers.ts';
import { backlog } from './figures/backlog.ts';
import { callbacks } from './figures/callbacks.ts';
import { deliverBatch } from './figures/deliver-batch.ts';
import { deliverPeers } from './figures/deliver-peers.ts';
import { deliverSingle } from './figures/deliver-single.ts';
import { deliverWebhook } from './figures/deliver-webhook.ts';
import { eventsDatabase } from './figures/events-database.ts';
import { fairness } from './figures/fairness.ts';
import { handover } from './figures/handover.ts';
import { keyKinds } from './figures/keys.ts';
import { lanes } from './figures/lanes.ts';
import { memory } from './figures/memory.ts';
import { oldTransaction } from './figures/old-transaction.ts';
import { ordinaryDay } from './figures/ordinary-day.ts';
import { reads } from './figures/reads.ts';
import { receipts } from './figures/receipts.ts';
import { replicaLag } from './figures/replica-lag.ts';
import { search } from './figures/search.ts';
import { statisticsOfAYear } from './figures/statistics-of-a-year.ts';
import { steering } from './figures/steering.ts';
import { storage } from './figures/storage.ts';
import { suppressions } from './figures/suppressions.ts';
import { templates } from './figures/templates.ts';
import { watched } from './figures/watched.ts';

/** In the order in which they are measured and reported. */
export const figures: readonly Figure[] = [
  accept,
  acceptPeers,
  deliverSingle,
  deliverWebhook,
  deliverPeers,
  deliverBatch,
  storage,
  templates,
  suppressions,
  replicaLag,
  ordinaryDay,
  memory,
  reads,
  search,
  keyKinds,
  oldTransaction,
  fairness,
  lanes,
  backlog,
  steering,
  handover,
  receipts,
  callbacks,
  statisticsOfAYear,
  eventsDatabase,
  watched,
];
