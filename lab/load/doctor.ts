import { spawn } from 'node:child_process';
import { builtMain } from '../../test/support/start-process.ts';
import type { Cluster } from '../cluster/cluster.ts';

const doctorMs = 60_000;

/** What `millrace doctor` says of replication. */
export async function runDoctor(cluster: Cluster, directory: string): Promise<string[]> {
  const child = spawn(
    process.execPath,
    [builtMain(), 'doctor', '--database', cluster.databaseUrl('primary'), '--data', directory, '--json'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: doctorMs,
      env: { PATH: process.env.PATH, HOME: directory },
    },
  );
  let out = '';
  child.stdout.on('data', (bytes: Buffer) => {
    out += bytes;
  });
  await new Promise((resolve) => child.once('close', resolve));
  const { findings } = JSON.parse(out) as {
    findings: { check: string; severity: string; summary: string }[];
  };
  const replication = findings.filter(({ check }) => check === 'replication');
  return replication.map(({ severity, summary }) => `${severity}: ${summary}`);
}
