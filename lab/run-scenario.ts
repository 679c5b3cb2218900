import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster/cluster.ts';
import { judge, type ScenarioReport } from './judge.ts';
import { runDoctor } from './load/doctor.ts';
import type { Millrace } from './load/millrace.ts';
import { ScenarioLoad } from './load/scenario-load.ts';
import { pendingChunks, storedMessages } from './load/stored-messages.ts';
import { type NodeName, nodeNames } from './network.ts';
import { Recorder, type Sample } from './recorder.ts';
import type { Scenario, Stage } from './scenarios/scenario.ts';

export interface ScenarioRun {
  scenario: Scenario;
  cluster: Cluster;
  millrace: Millrace;
  directory: string;
  floodMessages: number;
  signal: AbortSignal;
  onAction(what: string): void;
  onSample(sample: Sample): void;
}

/** Before the first act, so that the picture has something to compare with; and after the last one. */
const leadMs = 3_000;
const tailMs = 2_000;
const stepMs = 60_000;
const drainMs = 120_000;
const pollMs = 50;
const drainPollMs = 250;

/** One scenario on a cluster that is whole, until it is whole again and everything accepted has left. */
export async function runScenario(run: ScenarioRun): Promise<ScenarioReport> {
  const { scenario, cluster, millrace, signal } = run;
  const synchronous = scenario.mode === 'synchronous';
  await cluster.settled({ synchronous: true, signal });
  if (!synchronous) await setSynchronous(cluster, false, signal);
  const doctor = synchronous ? [] : await runDoctor(cluster, run.directory);
  const prefix = `${scenario.name}-${Date.now().toString(36)}`;
  const load = new ScenarioLoad({ ...run, prefix });
  const recorder = new Recorder({ cluster, load, onSample: run.onSample });
  try {
    const remembered = new Map<string, string>();
    const stage = createStage({ run, load, recorder, remembered });
    await stage.wait(leadMs);
    if (!scenario.ownFlood) void stage.flood();
    await scenario.run(stage);
    await cluster.settled({ synchronous, signal });
    recorder.act('the cluster is whole again');
    await stage.wait(tailMs);
    const endedAt = performance.now();
    const flood = await load.end();
    await drained(cluster, signal);
    await millrace.sink.pull();
    recorder.stop();
    const broken = millrace.alive() ? [] : ['the server ended'];
    const { beganAt, actions, samples } = recorder;
    const evidence = { ...{ beganAt, endedAt, actions, samples }, ...{ doctor, broken, remembered } };
    const report = await judge({ scenario, cluster, load, flood, ...evidence });
    if (!synchronous) await setSynchronous(cluster, true, signal);
    return report;
  } finally {
    recorder.stop();
    load.abandon();
  }
}

function createStage(options: {
  run: ScenarioRun;
  load: ScenarioLoad;
  recorder: Recorder;
  remembered: Map<string, string>;
}): Stage {
  const { run, load, recorder, remembered } = options;
  const { cluster, signal } = run;
  const { primary, standby, other } = rolesOf(cluster);
  const until = async (what: string, holds: () => boolean) => {
    const deadline = performance.now() + stepMs;
    while (!holds()) {
      if (performance.now() > deadline)
        throw new Error(`${what}: not within ${stepMs / 1_000} s; ${cluster.describe()}`);
      await sleep(pollMs, undefined, { signal });
    }
  };
  return {
    ...{ cluster, primary, standby, other, signal, until },
    say(what) {
      recorder.act(what);
      run.onAction(what);
    },
    wait: async (ms) => void (await sleep(ms, undefined, { signal })),
    async acceptedBeside(node) {
      const since = performance.now();
      const others = nodeNames.filter((name) => name !== node);
      const accepting = () => others.find((name) => cluster.watches[name].lastAcknowledgedAt > since);
      await until(`another node than ${node} accepts writes`, () => accepting() !== undefined);
      recorder.act(`${accepting()} accepts writes`);
    },
    flood: () => load.flood(),
    async remember() {
      const watch = cluster.watches[cluster.primary()!];
      const stored = await storedMessages(watch, { sinceMs: load.beganUnixMs, prefix: load.prefix });
      for (const [ref, ids] of stored) remembered.set(ref, ids[0]!);
    },
  };
}

function rolesOf(cluster: Cluster): { primary: NodeName; standby: NodeName; other: NodeName } {
  const primary = cluster.primary()!;
  const [first, second] = nodeNames.filter((name) => name !== primary) as [NodeName, NodeName];
  const secondIsInSync = cluster.watches[primary].state.waitsFor.includes(second);
  return { primary, standby: secondIsInSync ? second : first, other: secondIsInSync ? first : second };
}

/** In the asynchronous mode a replica may become primary however far it is behind: that is what is to be seen. */
async function setSynchronous(cluster: Cluster, synchronous: boolean, signal: AbortSignal): Promise<void> {
  const body = {
    synchronous_mode: synchronous,
    synchronous_mode_strict: synchronous,
    maximum_lag_on_failover: synchronous ? 1_048_576 : 67_108_864,
  };
  await cluster.patroni('/config', body, 'PATCH');
  await cluster.settled({ synchronous, signal });
}

async function drained(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + drainMs;
  for (;;) {
    const primary = cluster.primary();
    const chunks = primary === undefined ? undefined : await pendingChunks(cluster.watches[primary]);
    if (chunks === 0) return;
    if (performance.now() > deadline)
      throw new Error(`${chunks ?? 'all'} chunks are left that nobody delivers`);
    await sleep(drainPollMs, undefined, { signal });
  }
}
