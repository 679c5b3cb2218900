import { parentPort, workerData } from 'node:worker_threads';
import { createClient } from '../../client/client.ts';
import { demoMessages } from './demo-messages.ts';
import type { FloodEvent, FloodOrder } from './flood.ts';

const order = workerData as FloodOrder;
const client = createClient({ url: order.url, key: order.key, userAgent: 'millrace-demo' });
const tell = (event: FloodEvent) => parentPort?.postMessage(event);

await client.batches.upload({
  batchId: order.batchId,
  source: demoMessages({ count: order.count, seed: order.seed }),
  line: 1,
  close: true,
  onResume: ({ line, error }) => tell({ kind: 'resumed', line, reason: error.message }),
});
tell({ kind: 'done' });
client.close();
