import pg from 'pg';
import { loadPackage, type Peer, type PeerMessage } from './peer.ts';

interface WorkerUtils {
  migrate(): Promise<void>;
  addJobs(jobs: { identifier: string; payload: PeerMessage }[]): Promise<unknown>;
  release(): Promise<void>;
}

interface WorkerPreset {
  concurrentJobs: number;
  maxPoolSize: number;
  localQueue: { size: number };
  completeJobBatchDelay: number;
  failJobBatchDelay: number;
}

interface GraphileModule {
  Logger: new (factory: () => () => void) => unknown;
  makeWorkerUtils(options: { connectionString: string; logger: unknown }): Promise<WorkerUtils>;
  run(options: {
    connectionString: string;
    noHandleSignals: boolean;
    logger: unknown;
    preset: { worker: WorkerPreset };
    taskList: Record<string, (payload: PeerMessage, helpers: { job: { id: string } }) => Promise<void>>;
  }): Promise<{ stop(): Promise<void> }>;
}

const task = 'flood';

/** The batching options of its page "Performance": a local queue of 500 and completions sent together. */
export const graphileWorker: Peer = {
  name: 'graphile-worker',
  store: 'postgres',
  work: [
    { processes: 1, concurrency: 24, fetch: 500 },
    { processes: 1, concurrency: 64, fetch: 500 },
    { processes: 2, concurrency: 24, fetch: 500 },
    { processes: 2, concurrency: 48, fetch: 500 },
  ],
  async prepare(url) {
    const utils = await openUtils(url);
    await utils.migrate();
    await utils.release();
  },
  async openProducer(url) {
    const utils = await openUtils(url);
    return {
      insert: async (batch) => {
        await utils.addJobs(batch.map((payload) => ({ identifier: task, payload })));
      },
      close: () => utils.release(),
    };
  },
  async openWorker({ url, settings, run }) {
    const graphile = await loadPackage<GraphileModule>('graphile-worker');
    const runner = await graphile.run({
      connectionString: url,
      noHandleSignals: true,
      logger: silent(graphile),
      preset: {
        worker: {
          concurrentJobs: settings.concurrency,
          maxPoolSize: 10,
          localQueue: { size: settings.fetch },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      taskList: { [task]: (payload, helpers) => run(helpers.job.id, payload) },
    });
    const pool = new pg.Pool({ connectionString: url, max: 1 });
    return {
      async unfinished() {
        const { rows } = await pool.query('SELECT count(*)::int AS jobs FROM graphile_worker.jobs');
        return rows[0].jobs;
      },
      async close() {
        await runner.stop();
        await pool.end();
      },
    };
  },
};

async function openUtils(url: string): Promise<WorkerUtils> {
  const graphile = await loadPackage<GraphileModule>('graphile-worker');
  return graphile.makeWorkerUtils({ connectionString: url, logger: silent(graphile) });
}

/** Without it every finished job writes a line. */
function silent(graphile: GraphileModule): unknown {
  return new graphile.Logger(() => () => {});
}
