import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import type { LabReport } from '../../lab/report.ts';
import { runCommand } from '../../lab/run-command.ts';
import { needsRoot } from '../support/needs.ts';

const main = fileURLToPath(new URL('../../lab/main.ts', import.meta.url));
// A cluster starts, and fails twice.
const timeoutMs = 600_000;
vi.setConfig({ testTimeout: timeoutMs });

needsRoot(
  'patroni',
  'etcd',
  'haproxy',
  'nft',
  'ip',
  'nsenter',
  'unshare',
  'setpriv',
  'pg_rewind',
)(
  'a switchover and a killed postmaster lose no accepted message, and nothing is left of a laboratory',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-lab-test-'));
    const namespaces = await killOneAtWork();
    const { status, report, said } = await runLab(['switchover', 'postmaster-killed'], directory);
    expect(report?.failures, said).toEqual([]);
    expect(report?.scenarios.map(({ name, broken }) => ({ name, broken }))).toEqual([
      { name: 'switchover', broken: [] },
      { name: 'postmaster-killed', broken: [] },
    ]);
    for (const { lost, forgotten, acceptedByTwo, accepted, samples } of report!.scenarios) {
      expect({ lost, forgotten, acceptedByTwo }).toEqual({ lost: 0, forgotten: 0, acceptedByTwo: 0 });
      expect(accepted.singles).toBeGreaterThan(0);
      expect(accepted.flood).toBe(5_000);
      expect(samples.some(({ nodes }) => Object.values(nodes).some(({ accepts }) => accepts))).toBe(true);
    }
    expect(status).toBe(0);
    expect(await readFile(join(directory, 'switchover.svg'), 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect((await namespacesOfLabs()).filter((name) => namespaces.includes(name))).toEqual([]);
    await rm(directory, { recursive: true });
  },
);

/** Kills (-9) a laboratory that has made its namespaces, which nobody then removes; answers their names. */
async function killOneAtWork(): Promise<string[]> {
  const before = await namespacesOfLabs();
  const child = spawn(process.execPath, ['--import', 'tsx', main, 'switchover'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const added = async () => (await namespacesOfLabs()).filter((name) => !before.includes(name));
  await expect.poll(async () => (await added()).length).toBeGreaterThan(1);
  child.kill('SIGKILL');
  await ended;
  return await added();
}

async function namespacesOfLabs(): Promise<string[]> {
  const lines = (await runCommand('ip', ['netns', 'list'])).split('\n');
  return lines.map((line) => line.split(' ')[0]!).filter((name) => /^mrlab\d-/.test(name));
}

async function runLab(
  scenarios: string[],
  directory: string,
): Promise<{ status: number | null; report: LabReport | undefined; said: string }> {
  const args = ['--import', 'tsx', main, ...scenarios, '--messages', '5000', '--json', '--dir', directory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
  let [out, said] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => {
    out += bytes;
  });
  child.stderr.on('data', (bytes: Buffer) => {
    said += bytes;
  });
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, report: out === '' ? undefined : (JSON.parse(out) as LabReport), said };
}
