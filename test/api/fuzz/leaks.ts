import type { MemoryUse, ServerUse } from './server-use.ts';

/** What memory may differ by without anything being kept: caches, connections' buffers, code, what the allocator holds back. */
const slackBytes: Readonly<Record<keyof MemoryUse, number>> = {
  heapBytes: 16 * 1_048_576,
  externalBytes: 16 * 1_048_576,
  residentBytes: 128 * 1_048_576,
};
/** Above it, something is kept of each request: the smallest object with a reference to it is larger. */
const bytesPerRequestMax = 100;
const names = {
  heapBytes: 'the heap',
  externalBytes: 'what is outside the heap',
  residentBytes: 'the process',
};

/** What a server keeps of so many requests that were made between two moments of rest. */
export function leaks(of: {
  before: ServerUse;
  after: ServerUse;
  requests: number;
  connections: number;
}): string[] {
  const { before, after, requests, connections } = of;
  const found: string[] = [];
  for (const kind of Object.keys(slackBytes) as (keyof MemoryUse)[]) {
    const grownBytes = after[kind] - before[kind];
    if (grownBytes > slackBytes[kind] + requests * bytesPerRequestMax) {
      found.push(`${names[kind]} grew by ${grownBytes} bytes`);
    }
  }
  // Idle connections to the database and the provider come and go; what clients leave behind would be many.
  if (after.sockets > before.sockets + connections) {
    found.push(`${after.sockets} sockets are open, of ${before.sockets} before`);
  }
  if (after.databaseConnections > before.databaseConnections + connections) {
    found.push(`${after.databaseConnections} database connections, of ${before.databaseConnections} before`);
  }
  return found;
}
