import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, it } from 'vitest';
import { withoutSecrets } from '../../src/config/without-secrets.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { builtMain } from '../support/start-process.ts';

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [builtMain(), ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  children.push(child);
  return child;
}

/** For a server that cannot start: its exit status, and what it said. */
async function serveUntilEnd(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [builtMain(), 'serve', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  children.push(child);
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (told += part));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, told };
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

it('a server shows the administrator key that it makes once, and keeps it in its data directory, which is closed to others', async () => {
  const base = await mkdtemp(join(tmpdir(), 'millrace-serve-'));
  const data = join(base, 'above', 'data');
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
      // `doctor` finds the database by it, and whoever may read it learns no password.
      expect(JSON.parse(await readFile(join(data, 'server.json'), 'utf8'))).toMatchObject({
        database: withoutSecrets(database.url),
      });
      const closed = once(reader, 'close');
      child.kill('SIGTERM');
      await closed;
      return lines;
    };
    const first = await run();
    expect(first.at(-1)).toBe((await readFile(join(data, 'admin.key'), 'utf8')).trim());
    expect(first).toHaveLength(3);
    const modes = [data, dirname(data)].map(async (path) => (await stat(path)).mode & 0o777);
    expect(await Promise.all(modes)).toEqual([0o700, 0o755]);
    expect(await run()).toHaveLength(1);
  } finally {
    await database.drop();
    await rm(base, { recursive: true });
  }
});

it('a server is stopped by SIGTERM also while it starts', async () => {
  const data = await mkdtemp(join(tmpdir(), 'millrace-serve-'));
  // It takes connections and says nothing: a start that waits for it would wait for long.
  const silent = createServer().listen(0, '127.0.0.1');
  try {
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const connected = once(silent, 'connection');
    const database = `postgres://a:b@127.0.0.1:${port}/c`;
    const child = start(
      'serve',
      '--port',
      '0',
      '--data',
      data,
      '--database',
      database,
      '--log-level',
      'silent',
    );
    const [socket] = (await connected) as [Socket];
    socket.on('error', () => {});
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    socket.destroy();
  } finally {
    silent.close();
    await rm(data, { recursive: true });
  }
});

it('a server whose data directory cannot be made, or whose port is taken, fails at once and makes no database', async () => {
  const data = await mkdtemp(join(tmpdir(), 'millrace-serve-'));
  const taken = createServer().listen(0, '127.0.0.1');
  try {
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const noPort = start('serve', '--port', String(port), '--data', data, '--log-level', 'silent');
    expect(await once(noPort, 'exit')).toEqual([1, null]);
    expect(await readdir(data)).toEqual([]);
    const file = join(data, 'file');
    await writeFile(file, '');
    const refusals = [
      [file, `error: data (flag --data): ${file} is a file, not a directory: name another`],
      [join(file, 'data'), `error: data (flag --data): the directory ${file}/data cannot be made (ENOTDIR`],
    ];
    if (process.platform === 'linux')
      refusals.push(['/proc/x', 'error: data (flag --data): the directory /proc/x cannot be made (ENOENT']);
    for (const [place, words] of refusals) {
      const { status, told } = await serveUntilEnd(['--port', '0', '--data', place!]);
      expect({ status, told }).toEqual({ status: 2, told: expect.stringContaining(words!) });
      expect(told).not.toMatch(/^ +at /m);
    }
  } finally {
    taken.close();
    await rm(data, { recursive: true });
  }
});

it('a server warns in its log of a variable that it does not read', async () => {
  const data = await mkdtemp(join(tmpdir(), 'millrace-serve-'));
  // It ends at once, which is enough: the warnings come first.
  const taken = createServer().listen(0, '127.0.0.1');
  try {
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { told } = await serveUntilEnd(['--port', String(port), '--data', data], { MILLRACE_PROT: '1' });
    expect(told).toContain(
      'MILLRACE_PROT is set, but Millrace does not read it; did you mean MILLRACE_PORT?',
    );
  } finally {
    taken.close();
    await rm(data, { recursive: true });
  }
});

it('a server on a database that has a key already says what to do when its data directory has none', async () => {
  const data = await mkdtemp(join(tmpdir(), 'millrace-serve-'));
  const database = await createTestDatabase();
  try {
    const serve = async (key?: string) => {
      const child = spawn(
        process.execPath,
        [builtMain(), 'serve', '--port', '0', '--data', data, '--database', database.url, '--json'],
        {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...process.env, ...(key && { MILLRACE_ADMIN_KEY: key }) },
        },
      );
      children.push(child);
      let told = '';
      child.stderr!.on('data', (part) => (told += part));
      const lines = createInterface({ input: child.stdout! });
      let url = '';
      lines.on('line', (line) => {
        told += line;
        if (line.startsWith('{"url"')) url = (JSON.parse(line) as { url: string }).url;
      });
      await expect.poll(() => url).not.toBe('');
      const headers = { authorization: `Bearer ${key}` };
      const status = (await fetch(`${url}/v1/accounts`, { headers })).status;
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
      return { told, status };
    };
    await serve();
    await rm(join(data, 'admin.key'));
    expect((await serve()).told).toContain('start once with MILLRACE_ADMIN_KEY');
    expect(await serve('a-key-of-sixteen-characters-or-more')).toMatchObject({ status: 200 });
  } finally {
    await rm(data, { recursive: true });
  }
});
