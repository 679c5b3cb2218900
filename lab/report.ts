import { cpus, loadavg } from 'node:os';
import { describeDuplicates } from './explain-duplicates.ts';
import type { ScenarioReport } from './judge.ts';
import type { Tools } from './requirements.ts';
import type { Verified } from './verify.ts';

export interface LabReport {
  at: string;
  machine: { cores: number; processor: string; node: string; postgres: number };
  /** The device that was configured and whether it was opened, or why none was. */
  watchdog: string;
  seconds: number;
  /** Load average of a minute, at the beginning and at the end: what else the machine had to do decides the seconds. */
  load: [number, number];
  scenarios: ScenarioReport[];
  /** Scenarios that did not come to their end. */
  failures: { name: string; error: string }[];
  /** Scenarios that were asked for and never began, because one before them did not come to its end. */
  notRun: string[];
  /** Undefined where the nodes could not be looked at in the end. */
  verified: Verified | undefined;
}

export function describeLabMachine({ postgresVersion }: Tools): LabReport['machine'] {
  const processors = cpus();
  return {
    cores: processors.length,
    processor: processors[0]?.model.trim() ?? 'unknown',
    node: process.version,
    postgres: postgresVersion,
  };
}

export function loadOfMachine(): number {
  return Math.round(loadavg()[0]! * 10) / 10;
}

export function everyPromiseHeld({ scenarios, failures, notRun }: LabReport): boolean {
  return failures.length === 0 && notRun.length === 0 && scenarios.every(({ broken }) => broken.length === 0);
}

/** For people, and as Markdown: a row for each scenario, then what was done and seen in each. */
export function renderReport(report: LabReport): string {
  const { machine, watchdog, scenarios, failures, notRun } = report;
  const lines = [
    `Measured ${report.at.slice(0, 10)} on ${machine.cores} cores (${machine.processor}), Node ${machine.node}, PostgreSQL ${machine.postgres}, in ${report.seconds.toFixed(0)} s; load average ${report.load.join(' at the beginning, ')} at the end.`,
    `Watchdog: ${watchdog}.`,
    describeVerified(report.verified),
    '',
    '| scenario | s without writes | s without reads | s without a primary | accepted | lost | forgotten | duplicates | uncertain, resolved | accepted by two |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...scenarios.map(row),
    '',
    ...scenarios.flatMap(describeScenario),
    ...failures.map(({ name, error }) => `### ${name}: did not come to its end\n\n${error}\n`),
    ...notRun.map((name) => `### ${name}: not run\n`),
    everyPromiseHeld(report) ? 'every promise held' : 'BROKEN: see above',
  ];
  return `${lines.join('\n')}\n`;
}

function describeVerified(verified: Verified | undefined): string {
  if (verified === undefined) return 'The nodes could not be looked at in the end.';
  const { withoutChecksums, rewinds } = verified;
  const checksums = withoutChecksums.length === 0 ? 'on' : `OFF on ${withoutChecksums.join(', ')}`;
  const rewound = Object.entries(rewinds).filter(([, times]) => times > 0);
  const times = rewound.map(([name, count]) => `${name} ${count} ×`).join(', ');
  return `Checksums of pages: ${checksums}. Nodes that came back by pg_rewind: ${times || 'none'}.`;
}

function row(scenario: ScenarioReport): string {
  const { name, withoutWrites, withoutReads, withoutPrimary, accepted, uncertain, explained } = scenario;
  const { length: unexplained } = explained.unexplained;
  const cells = [
    name,
    ...[withoutWrites, withoutReads, withoutPrimary].map((seconds) => seconds.toFixed(1)),
    accepted.singles + accepted.flood,
    scenario.lost,
    scenario.forgotten,
    unexplained === 0 ? scenario.duplicates : `${scenario.duplicates} (${unexplained} unexplained)`,
    `${uncertain.met}, ${uncertain.resolved}`,
    scenario.acceptedByTwo,
  ];
  return `| ${cells.join(' | ')} |`;
}

function describeScenario(scenario: ScenarioReport): string[] {
  const { name, title, mode, way, actions, errors, doctor, broken, accepted, explained } = scenario;
  const duplicates = describeDuplicates(explained);
  const seen = Object.entries(errors).flatMap(([who, counts]) =>
    Object.entries(counts).map(([what, count]) => `- ${who}: ${count} × ${what}`),
  );
  return [
    `### ${name}: ${title}`,
    '',
    `${mode}; Millrace ${way === 'haproxy' ? 'by way of HAProxy' : 'with all nodes in its URL'}; accepted ${accepted.singles} single messages and a flood of ${accepted.flood} (${scenario.sendRuns} ${scenario.sendRuns === 1 ? 'run' : 'runs'} of send); ${scenario.withoutReplicaReads.toFixed(1)} s without reads from replicas`,
    '',
    ...actions.map(({ at, what }) => `- +${at.toFixed(1)} s: ${what}`),
    ...doctor.map((finding) => `- doctor had said ${finding}`),
    ...(seen.length > 0 ? ['', 'Clients saw:', '', ...seen] : ['', 'Clients saw no error.']),
    ...(duplicates.length > 0 ? ['', 'Duplicates:', '', ...duplicates.map((words) => `- ${words}`)] : []),
    ...(broken.length > 0 ? ['', 'BROKEN:', '', ...broken.map((promise) => `- ${promise}`)] : []),
    '',
  ];
}
