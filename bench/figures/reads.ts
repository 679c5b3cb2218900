import { setTimeout as delay } from 'node:timers/promises';
import { type Data, makeData } from '../data.ts';
import type { Figure } from '../figure.ts';
import { type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';
import { percentile } from '../statistics.ts';

const drainTimeoutMs = 1_200_000;
/** Of each kind: enough for a p99, too few to be a load of their own. */
const readEveryMs = 20;
const idsRead = 200;

export const reads: Figure = {
  name: 'reads',
  title: 'GET /v1/batches/{id} and GET /v1/messages/{id} while the flood drains',
  needs: [],
  async run(context) {
    const data = await makeData({ dir: context.dataDir, count: context.messages });
    const database = await context.server.create('bench_millrace');
    const sink = await startSink();
    const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
    try {
      await putBatchedRoute(millrace, sink.url);
      const { id } = await millrace.uploadOpen(floodRoute, data.ndjson);
      const messageIds = await findIds(millrace, data);
      const ended = new AbortController();
      const batchReads = readRepeatedly(ended.signal, async () => void (await millrace.batch(id)));
      const messageReads = readRepeatedly(ended.signal, async (turn) => {
        await millrace.call('GET', `/v1/messages/${messageIds[turn % messageIds.length]}`);
      });
      await millrace.closeBatch(id);
      await millrace.waitSent(id, drainTimeoutMs);
      ended.abort();
      const [batchMs, messageMs] = await Promise.all([batchReads, messageReads]);
      const target = { reach: 50, aim: 20, better: 'lower' } as const;
      return {
        measurements: [
          { name: 'batch, p99', unit: 'ms', values: [percentile(batchMs, 0.99)], target },
          { name: 'message, p99', unit: 'ms', values: [percentile(messageMs, 0.99)], target },
          { name: 'batch, median', unit: 'ms', values: [percentile(batchMs, 0.5)] },
          { name: 'message, median', unit: 'ms', values: [percentile(messageMs, 0.5)] },
        ],
        notes: [
          `${data.count} messages draining, 500 to a POST; ${batchMs.length} batch and ${messageMs.length} message reads,`,
          `one of each every ${readEveryMs} ms over kept connections, ${messageIds.length} different messages.`,
        ],
      };
    } finally {
      await millrace.stop();
      await sink.stop();
      await database.drop();
    }
  },
};

/** Ids from all over the batch. */
async function findIds(millrace: Millrace, { samples }: Data): Promise<string[]> {
  const every = Math.max(1, Math.floor(samples.length / idsRead));
  const ids: string[] = [];
  for (const sample of samples.filter((_, index) => index % every === 0))
    ids.push(await millrace.find(sample));
  return ids;
}

/** The milliseconds of every read. A read that is late does not hold the next one back. */
async function readRepeatedly(signal: AbortSignal, read: (turn: number) => Promise<void>): Promise<number[]> {
  const took: Promise<number>[] = [];
  for (let turn = 0; !signal.aborted; turn++) {
    const startedMs = performance.now();
    took.push(read(turn).then(() => performance.now() - startedMs));
    await delay(readEveryMs);
  }
  return await Promise.all(took);
}
