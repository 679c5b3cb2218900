import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { forkScript, runToEnd, stopChild } from './child.ts';
import type { Peer, WorkSettings } from './peers/peer.ts';
import type { PeerOrder, PeerReport, PeerTask } from './peers/peer-process.ts';

const installTimeoutMs = 300_000;
const taskTimeoutMs = 600_000;
const stopTimeoutMs = 20_000;
const peersDir = fileURLToPath(new URL('./peers/', import.meta.url));

/** Brings the peers' packages, once. They are no part of the main install. */
export async function installPeers(say: (line: string) => void): Promise<void> {
  if (existsSync(`${peersDir}node_modules/.package-lock.json`)) return;
  say('installing the peers (npm ci in bench/peers)');
  await runToEnd({
    command: 'npm',
    args: ['ci', '--ignore-scripts', '--no-audit', '--no-fund'],
    cwd: peersDir,
    timeoutMs: installTimeoutMs,
  });
}

export async function preparePeer({ peer, url }: { peer: Peer; url: string }): Promise<void> {
  const child = forkPeer({ task: 'prepare', peer: peer.name, url });
  await exited(child);
}

/** Inserts the first `count` messages; the milliseconds from the first call to the last answer. */
export async function insertIntoPeer(options: {
  peer: Peer;
  url: string;
  ndjson: string;
  count: number;
  lanes: number;
}): Promise<number> {
  const { peer, ...rest } = options;
  const child = forkPeer({ task: 'insert', peer: peer.name, batch: insertBatch, ...rest });
  try {
    await reported(child, 'ready');
    const inserted = reported(child, 'insertedMs');
    tell(child, 'go');
    return (await inserted).insertedMs;
  } finally {
    await stopChild({ child, signal: 'SIGTERM', timeoutMs: stopTimeoutMs });
  }
}

/** As issue 1 says for the peers: batches of 1,000. */
const insertBatch = 1_000;

/** Runs the peer's workers over `count` waiting jobs; the milliseconds until the last completion is recorded. */
export async function drainPeer(options: {
  peer: Peer;
  url: string;
  sinkUrl: string;
  count: number;
  settings: WorkSettings;
}): Promise<number> {
  const { peer, url, sinkUrl, settings } = options;
  const children = Array.from({ length: settings.processes }, () =>
    forkPeer({ task: 'work', peer: peer.name, url, sinkUrl, settings }),
  );
  try {
    await Promise.all(children.map((child) => reported(child, 'ready')));
    const allDone = jobsDone(children, options.count);
    const startedMs = performance.now();
    for (const child of children) tell(child, 'go');
    await allDone;
    const [first] = children as [ChildProcess];
    const settled = reported(first, 'settled');
    tell(first, 'settle');
    await settled;
    return performance.now() - startedMs;
  } finally {
    for (const child of children) tell(child, 'stop');
    await Promise.all(children.map((child) => exited(child).catch(() => {})));
  }
}

function forkPeer(task: PeerTask): ChildProcess {
  return forkScript(new URL('./peers/peer-process.ts', import.meta.url), task);
}

function tell(child: ChildProcess, order: PeerOrder): void {
  if (child.connected) child.send(order);
}

type ReportOf<Kind extends string> = Extract<PeerReport, Record<Kind, unknown>>;

/** Waits for one kind of report; fails when the process ends or the time is up before it. */
function reported<Kind extends 'ready' | 'insertedMs' | 'settled'>(
  child: ChildProcess,
  kind: Kind,
): Promise<ReportOf<Kind>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no "${kind}" from a peer's process`)), taskTimeoutMs);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
      settle();
    };
    const onMessage = (report: PeerReport) => {
      if (kind in report) end(() => resolve(report as ReportOf<Kind>));
    };
    const onExit = (code: number | null) =>
      end(() => reject(new Error(`a peer's process ended with ${code}`)));
    child.on('message', onMessage);
    child.on('exit', onExit);
  });
}

function jobsDone(children: ChildProcess[], count: number): Promise<void> {
  const done = new Map<ChildProcess, number>();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error('the peer did not finish its jobs in time')),
      taskTimeoutMs,
    );
    const onExit = (code: number | null) => {
      clearTimeout(timer);
      reject(new Error(`a peer's worker ended with ${code}`));
    };
    for (const child of children) {
      child.once('exit', onExit);
      child.on('message', (report: PeerReport) => {
        if (!('done' in report)) return;
        done.set(child, report.done);
        if ([...done.values()].reduce((sum, jobs) => sum + jobs, 0) < count) return;
        clearTimeout(timer);
        for (const each of children) each.off('exit', onExit);
        resolve();
      });
    }
  });
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const killing = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await once(child, 'exit');
    clearTimeout(killing);
  }
  if (child.exitCode !== 0)
    throw new Error(`a peer's process ended with ${child.exitCode ?? child.signalCode}`);
}
