import { loadPackage, type Peer, type PeerMessage } from './peer.ts';

interface Connection {
  host: string;
  port: number;
  maxRetriesPerRequest: null;
}

interface Queue {
  addBulk(jobs: { name: string; data: PeerMessage }[]): Promise<unknown>;
  obliterate(options: { force: boolean }): Promise<void>;
  getJobCountByTypes(...types: string[]): Promise<number>;
  close(): Promise<void>;
}

interface Worker {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): void;
}

interface BullModule {
  Queue: new (
    name: string,
    options: { connection: Connection; defaultJobOptions: { removeOnComplete: boolean } },
  ) => Queue;
  Worker: new (
    name: string,
    run: (job: { id: string; data: PeerMessage }) => Promise<void>,
    options: { connection: Connection; concurrency: number },
  ) => Worker;
}

const queueName = 'flood';

/**
 * `addBulk` for the insert and a high concurrency for work that waits on the network, as its guide says; finished
 * jobs are removed at once. Its Redis keeps an append-only file with `everysec`, as the guide's page "Going to
 * production" recommends: up to a second of accepted jobs may be lost, which Millrace does not allow itself.
 */
export const bullmq: Peer = {
  name: 'bullmq',
  store: 'redis',
  work: [
    { processes: 1, concurrency: 64, fetch: 1 },
    { processes: 1, concurrency: 200, fetch: 1 },
    { processes: 2, concurrency: 64, fetch: 1 },
    { processes: 2, concurrency: 128, fetch: 1 },
  ],
  async prepare(url) {
    const queue = await openQueue(url);
    await queue.obliterate({ force: true });
    await queue.close();
  },
  async openProducer(url) {
    const queue = await openQueue(url);
    return {
      insert: async (batch) => {
        await queue.addBulk(batch.map((data) => ({ name: 'message', data })));
      },
      close: () => queue.close(),
    };
  },
  async openWorker({ url, settings, run }) {
    const { Worker } = await loadPackage<BullModule>('bullmq');
    const queue = await openQueue(url);
    const worker = new Worker(queueName, (job) => run(job.id, job.data), {
      connection: connection(url),
      concurrency: settings.concurrency,
    });
    worker.on('error', (error) => {
      throw error;
    });
    await worker.waitUntilReady();
    return {
      unfinished: () => queue.getJobCountByTypes('waiting', 'active', 'delayed', 'failed'),
      async close() {
        await worker.close();
        await queue.close();
      },
    };
  },
};

async function openQueue(url: string): Promise<Queue> {
  const { Queue } = await loadPackage<BullModule>('bullmq');
  return new Queue(queueName, { connection: connection(url), defaultJobOptions: { removeOnComplete: true } });
}

function connection(url: string): Connection {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
}
