import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Claim } from './claim.ts';
import { type Cluster, startCluster } from './cluster/cluster.ts';
import { type Millrace, startMillrace } from './load/millrace.ts';
import { machineNames } from './network.ts';
import type { Sample } from './recorder.ts';
import { describeLabMachine, type LabReport, loadOfMachine } from './report.ts';
import type { Tools } from './requirements.ts';
import { runScenario } from './run-scenario.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { verifyCluster } from './verify.ts';
import { chooseWatchdog, lookAtWatchdog } from './watchdog.ts';

export interface LabOptions {
  tools: Tools;
  claim: Claim;
  scenarios: readonly Scenario[];
  floodMessages: number;
  watchdog: string | undefined;
  signal: AbortSignal;
  events: LabEvents;
}

/** What happens meanwhile, for whoever watches. */
export interface LabEvents {
  onStep(what: string): void;
  onScenario(scenario: Scenario): void;
  onAction(what: string): void;
  onSample(sample: Sample): void;
}

/** The scenarios one after the other on one cluster. One that fails is reported, and those after it are not run: they need a cluster that is whole. */
export async function runLab(options: LabOptions): Promise<LabReport> {
  const { tools, claim, signal, events } = options;
  const beganAt = performance.now();
  const watchdog = chooseWatchdog(options.watchdog);
  const report: LabReport = {
    at: new Date().toISOString(),
    machine: describeLabMachine(tools),
    watchdog: watchdog.said,
    seconds: 0,
    load: [loadOfMachine(), 0],
    scenarios: [],
    failures: [],
    notRun: options.scenarios.map(({ name }) => name),
    verified: undefined,
  };
  events.onStep('starting three nodes with etcd, Patroni and PostgreSQL, and HAProxy');
  let cluster: Cluster | undefined;
  let millrace: Millrace | undefined;
  try {
    cluster = await startCluster({ tools, claim, watchdog: watchdog.device, signal });
    if (watchdog.device !== undefined) {
      const { armed, said } = lookAtWatchdog(watchdog.device);
      report.watchdog = said;
      if (!armed) report.failures.push({ name: 'watchdog', error: said });
    }
    events.onStep('starting Millrace and a simulated provider');
    millrace = await startMillrace(cluster, claim.directory);
    for (const scenario of options.scenarios) {
      report.notRun.shift();
      if (!(await runOne({ ...options, cluster, millrace, scenario, report }))) break;
    }
    await verify(cluster, report);
  } finally {
    await millrace?.stop();
    await cluster?.stop();
  }
  report.seconds = (performance.now() - beganAt) / 1_000;
  report.load[1] = loadOfMachine();
  return report;
}

/** A node that does not answer at the end is told with what else failed. */
async function verify(cluster: Cluster, report: LabReport): Promise<void> {
  try {
    report.verified = await verifyCluster(cluster);
    const { withoutChecksums } = report.verified;
    if (withoutChecksums.length > 0)
      report.failures.push({ name: 'checksums', error: `they are off on ${withoutChecksums.join(', ')}` });
  } catch (error) {
    report.failures.push({ name: 'looking at the nodes', error: (error as Error).message });
  }
}

/** Resolves to whether it came to its end. */
async function runOne(
  options: LabOptions & { cluster: Cluster; millrace: Millrace; scenario: Scenario; report: LabReport },
): Promise<boolean> {
  const { cluster, millrace, scenario, report, claim, floodMessages, signal, events } = options;
  events.onScenario(scenario);
  try {
    await millrace.useWay(scenario.way ?? 'haproxy');
    const { onAction, onSample } = events;
    report.scenarios.push(
      await runScenario({
        ...{ scenario, cluster, millrace, floodMessages, signal, directory: claim.directory },
        ...{ onAction: onAction.bind(events), onSample: onSample.bind(events) },
      }),
    );
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    report.failures.push({ name: scenario.name, error: (error as Error).message });
    return false;
  }
}

/** Keeps what the programs wrote, for whoever looks for the reason. */
export function keepLogs({ directory }: Claim, into: string): void {
  mkdirSync(into, { recursive: true });
  for (const from of ['', ...machineNames]) {
    let files: string[] = [];
    try {
      files = readdirSync(join(directory, from)).filter((file) => file.endsWith('.log'));
    } catch {
      // The machine was never made.
    }
    for (const file of files)
      copyFileSync(join(directory, from, file), join(into, from ? `${from}-${file}` : file));
  }
}

export function writeReport(directory: string, name: string, content: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), content);
}
