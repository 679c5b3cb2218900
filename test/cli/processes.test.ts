import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  children.push(child);
  return child;
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
  return line;
}

it('a sink announces its address as JSON, keeps its ledger and ends well on SIGTERM', async () => {
  const child = start('sink', '--port', '0', '--json');
  const { url, pid } = JSON.parse(await firstLine(child)) as { url: string; pid: number };
  expect(pid).toBe(child.pid);
  await fetch(url, { method: 'POST', body: JSON.stringify({ id: 'x' }) });
  expect(await (await fetch(`${url}/ledger`)).json()).toMatchObject({
    received: 1,
    distinct: 1,
    duplicates: 0,
  });
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});

it('a process started with --stop-with-parent ends when its parent is gone', async () => {
  const child = start('sink', '--port', '0', '--json', '--stop-with-parent');
  await firstLine(child);
  const exit = once(child, 'exit');
  // What the kernel does when the parent dies, however it dies.
  child.disconnect();
  expect(await exit).toEqual([0, null]);
});

it('the exit status of the process is that of the command', async () => {
  const child = start('frobnicate');
  expect(await once(child, 'exit')).toEqual([2, null]);
});

it('a server shows the administrator key that it makes once, and keeps it in its data directory', async () => {
  const data = await mkdtemp(join(tmpdir(), 'millrace-serve-'));
  const database = await createTestDatabase();
  try {
    const run = async () => {
      const child = start(
        'serve',
        '--port',
        '0',
        '--data',
        data,
        '--database',
        database.url,
        '--log-level',
        'silent',
      );
      const lines: string[] = [];
      const reader = createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
      await once(reader, 'line');
      const closed = once(reader, 'close');
      child.kill('SIGTERM');
      await closed;
      return lines;
    };
    const first = await run();
    expect(first.at(-1)).toBe((await readFile(join(data, 'admin.key'), 'utf8')).trim());
    expect(first).toHaveLength(3);
    expect(await run()).toHaveLength(1);
  } finally {
    await database.drop();
    await rm(data, { recursive: true });
  }
}, 60_000);
