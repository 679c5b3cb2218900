import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { builtMain } from '../support/start-process.ts';

/** It starts a database, measures ten seconds of an ordinary day, and waits for its processes to end. */
export const demoTimeoutMs = 240_000;

/** The demonstration of 5,000 messages must deliver everything once, and its books must balance. */
export async function expectDemo(...flags: string[]): Promise<void> {
  const args = [builtMain(), 'demo', '--messages', '5000', '--json', ...flags];
  // Options of the surroundings must not reach the demonstration: this database does not exist.
  const env = { ...process.env, MILLRACE_DATABASE_URL: 'postgres://127.0.0.1:1/none' };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  try {
    const [out, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    const report = JSON.parse(out);
    const single = flags.includes('--single');
    expect(report).toMatchObject({ ok: true, lost: 0, duplicated: 0, single });
    expect(report.flood).toMatchObject({ accepted: 5_000, received: 5_000, exported: 5_000, agree: true });
    expect(report.others).toMatchObject({ lost: 0, duplicated: 0, agree: true });
    expect(report.others.accepted).toBeGreaterThan(0);
    expect(status).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
}
