import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { builtMain } from '../support/start-process.ts';

/** It starts a database, measures ten seconds of an ordinary day, and waits for its processes to end. */
const timeoutMs = 240_000;

const ways = [
  { way: '500 messages per request', flags: [] },
  { way: 'one by one', flags: ['--single'] },
];

it.each(ways)(
  'the demonstration delivers everything once, $way, and its books balance',
  { timeout: timeoutMs },
  async ({ flags }) => {
    const args = [builtMain(), 'demo', '--messages', '5000', '--json', ...flags];
    // Options of the surroundings must not reach the demonstration: this database does not exist.
    const env = { ...process.env, MILLRACE_DATABASE_URL: 'postgres://127.0.0.1:1/none' };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
    try {
      const [out, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      const report = JSON.parse(out);
      expect(report).toMatchObject({ ok: true, lost: 0, duplicated: 0, single: flags.length === 1 });
      expect(report.flood).toMatchObject({ accepted: 5_000, received: 5_000, exported: 5_000, agree: true });
      expect(report.others).toMatchObject({ lost: 0, duplicated: 0, agree: true });
      expect(report.others.accepted).toBeGreaterThan(0);
      expect(status).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  },
);
