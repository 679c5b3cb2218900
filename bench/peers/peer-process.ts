import { readMessages } from '../data.ts';
import { createPoster } from '../poster.ts';
import { peers } from './catalogue.ts';
import type { Peer, WorkSettings } from './peer.ts';

/** What the bench asks of a peer's process, as the one JSON argument of its command line. */
export type PeerTask = { peer: string; url: string } & (
  | { task: 'prepare' }
  | { task: 'insert'; ndjson: string; count: number; batch: number; lanes: number }
  | { task: 'work'; sinkUrl: string; settings: WorkSettings }
);

/** The process says `ready`, is told `go`, and reports. `settle` asks a worker to wait for its empty queue. */
export type PeerReport = { ready: true } | { insertedMs: number } | { done: number } | { settled: true };
export type PeerOrder = 'go' | 'settle' | 'stop';

const reportEveryMs = 20;

await main(JSON.parse(process.argv[2] ?? '{}') as PeerTask);

async function main(task: PeerTask): Promise<void> {
  const peer = peers.find(({ name }) => name === task.peer);
  if (!peer) throw new Error(`no peer is called ${task.peer}`);
  if (task.task === 'prepare') await peer.prepare(task.url);
  else if (task.task === 'insert') await insert(peer, task);
  else await work(peer, task);
  process.disconnect();
}

async function insert(peer: Peer, task: Extract<PeerTask, { task: 'insert' }>): Promise<void> {
  const messages = await readMessages(task.ndjson, task.count);
  const producer = await peer.openProducer(task.url);
  const go = order('go');
  report({ ready: true });
  await go;
  const startedMs = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < messages.length) {
      const batch = messages.slice(next, next + task.batch);
      next += batch.length;
      await producer.insert(batch);
    }
  };
  await Promise.all(Array.from({ length: task.lanes }, lane));
  report({ insertedMs: performance.now() - startedMs });
  await producer.close();
}

async function work(
  peer: Peer,
  { url, sinkUrl, settings }: Extract<PeerTask, { task: 'work' }>,
): Promise<void> {
  const poster = createPoster({ url: sinkUrl, connections: settings.concurrency, api: 'dispatch' });
  let done = 0;
  const go = order('go');
  const settle = order('settle');
  const stop = order('stop');
  report({ ready: true });
  await go;
  const worker = await peer.openWorker({
    url,
    settings,
    async run(jobId, { to, body, ref }) {
      await poster.post(JSON.stringify({ id: jobId, to, body, ref }), jobId);
      done++;
    },
  });
  const reporting = setInterval(() => report({ done }), reportEveryMs);
  await Promise.race([settle, stop]);
  clearInterval(reporting);
  void settle.then(async () => {
    while ((await worker.unfinished()) > 0)
      await new Promise((resolve) => setTimeout(resolve, reportEveryMs));
    report({ settled: true });
  });
  await stop;
  await worker.close();
  await poster.close();
}

function report(message: PeerReport): void {
  process.send?.(message);
}

function order(wanted: PeerOrder): Promise<void> {
  return new Promise((resolve) => {
    const listen = (message: PeerOrder) => {
      if (message !== wanted) return;
      process.off('message', listen);
      resolve();
    };
    process.on('message', listen);
  });
}
