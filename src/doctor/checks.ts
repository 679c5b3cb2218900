import type { Check } from './check.ts';
import { autovacuum } from './checks/autovacuum.ts';
import { changeFeed } from './checks/change-feed.ts';
import { clock } from './checks/clock.ts';
import { connections } from './checks/connections.ts';
import { disk } from './checks/disk.ts';
import { durability } from './checks/durability.ts';
import { failedMessages } from './checks/failed-messages.ts';
import { fileDescriptors } from './checks/file-descriptors.ts';
import { leases } from './checks/leases.ts';
import { namedStatements } from './checks/named-statements.ts';
import { oldTransactions } from './checks/old-transactions.ts';
import { orderingBacklog } from './checks/ordering-backlog.ts';
import { partitions } from './checks/partitions.ts';
import { pendingSize } from './checks/pending-size.ts';
import { preparedTransactions } from './checks/prepared-transactions.ts';
import { receipts } from './checks/receipts.ts';
import { replicas } from './checks/replicas.ts';
import { replication } from './checks/replication.ts';
import { replicationSlots } from './checks/replication-slots.ts';
import { routes } from './checks/routes.ts';
import { schema } from './checks/schema.ts';
import { serverVersion } from './checks/server-version.ts';
import { spentAccounts } from './checks/spent-accounts.ts';
import { statistics } from './checks/statistics.ts';
import { uncertainMessages } from './checks/uncertain-messages.ts';
import { unfinishedChunks } from './checks/unfinished-chunks.ts';
import { writable } from './checks/writable.ts';
import { writeForwarding } from './checks/write-forwarding.ts';

/** In the order in which they are told. */
export const checks: readonly Check[] = [
  writable,
  serverVersion,
  schema,
  durability,
  replication,
  replicas,
  writeForwarding,
  oldTransactions,
  preparedTransactions,
  changeFeed,
  replicationSlots,
  partitions,
  unfinishedChunks,
  routes,
  failedMessages,
  uncertainMessages,
  spentAccounts,
  receipts,
  statistics,
  orderingBacklog,
  pendingSize,
  autovacuum,
  disk,
  clock,
  leases,
  connections,
  namedStatements,
  fileDescriptors,
];
