import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { usedDirectory } from '../embedded/data-directory.ts';
import { eventually } from '../embedded/eventually.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';

afterEach(killProcesses);

const key = 'crash-test-administrator-key-0123456789';

test('a server whose own PostgreSQL was killed starts it again, and has what it accepted', async () => {
  const data = await usedDirectory();
  const server = await startProcess(['serve', '--port', '0', '--data', data, '--log-level', 'fatal'], {
    MILLRACE_ADMIN_KEY: key,
  });
  const before = await createAccount(server.url, 'Before');
  expect(before.status).toBe(201);
  process.kill(await postmasterOf(data), 'SIGKILL');
  await eventually(
    'the server accepts again',
    async () => (await createAccount(server.url, 'After')).status === 201,
    60_000,
  );
  const listed = await fetch(`${server.url}/v1/accounts`, { headers: { authorization: `Bearer ${key}` } });
  const { data: accounts } = (await listed.json()) as { data: { name: string }[] };
  expect(accounts.map(({ name }) => name)).toEqual(expect.arrayContaining(['Before', 'After']));
  expect(await server.stop()).toBe(0);
});

function createAccount(url: string, name: string): Promise<Response> {
  return fetch(`${url}/v1/accounts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
    signal: AbortSignal.timeout(30_000),
  });
}

async function postmasterOf(data: string): Promise<number> {
  return Number.parseInt(await readFile(join(data, 'postgres', 'postmaster.pid'), 'utf8'), 10);
}
