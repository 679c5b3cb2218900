import { loadPackage, type Peer, type PeerMessage, type WorkContext } from './peer.ts';

interface Boss {
  start(): Promise<unknown>;
  stop(options: { graceful: boolean; wait: boolean }): Promise<void>;
  createQueue(name: string): Promise<void>;
  insert(jobs: { name: string; data: PeerMessage }[]): Promise<unknown>;
  fetch(
    name: string,
    options: { batchSize: number; priority: boolean },
  ): Promise<{ id: string; data: PeerMessage }[]>;
  complete(name: string, ids: string[]): Promise<unknown>;
  getQueueSize(name: string, options: { before: 'completed' }): Promise<number>;
  on(event: 'error', listener: (error: Error) => void): void;
}

type BossModule = {
  default: new (options: {
    connectionString: string;
    max: number;
    supervise: boolean;
    schedule: boolean;
  }) => Boss;
};

const queue = 'flood';
const idleMs = 50;

/**
 * `insert` is pg-boss's documented way to many jobs at once. Jobs are taken with `fetch` and settled with one
 * `complete` for a whole batch, also documented, because `work` polls at most twice a second; `priority: false`
 * drops a sort key, as its documentation advises where priorities are not used.
 */
export const pgBoss: Peer = {
  name: 'pg-boss',
  store: 'postgres',
  work: [
    { processes: 1, concurrency: 64, fetch: 250 },
    { processes: 1, concurrency: 64, fetch: 1_000 },
    { processes: 2, concurrency: 32, fetch: 500 },
    { processes: 2, concurrency: 32, fetch: 1_000 },
  ],
  async prepare(url) {
    const boss = await open(url);
    await boss.createQueue(queue);
    await close(boss);
  },
  async openProducer(url) {
    const boss = await open(url);
    return {
      insert: async (batch) => {
        await boss.insert(batch.map((data) => ({ name: queue, data })));
      },
      close: () => close(boss),
    };
  },
  async openWorker(context) {
    const boss = await open(context.url);
    const stopping = new AbortController();
    // Two loops: while one settles and fetches, the other one posts.
    const loops = [0, 1].map(() => workLoop(boss, context, stopping.signal));
    return {
      unfinished: () => boss.getQueueSize(queue, { before: 'completed' }),
      async close() {
        stopping.abort();
        await Promise.all(loops);
        await close(boss);
      },
    };
  },
};

async function workLoop(boss: Boss, { settings, run }: WorkContext, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const jobs = await boss.fetch(queue, { batchSize: settings.fetch, priority: false });
    if (jobs.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, idleMs));
      continue;
    }
    await Promise.all(jobs.map((job) => run(job.id, job.data)));
    await boss.complete(
      queue,
      jobs.map((job) => job.id),
    );
  }
}

async function open(url: string): Promise<Boss> {
  const { default: PgBoss } = await loadPackage<BossModule>('pg-boss');
  // Maintenance and schedules are left out of the measurement, to the peer's advantage.
  const boss = new PgBoss({ connectionString: url, max: 8, supervise: false, schedule: false });
  boss.on('error', (error) => {
    throw error;
  });
  await boss.start();
  return boss;
}

function close(boss: Boss): Promise<void> {
  return boss.stop({ graceful: true, wait: true });
}
