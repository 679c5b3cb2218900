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
  const killed = await postmasterOf(data);
  process.kill(killed!, 'SIGKILL');
  // the backends of a killed postmaster outlive it by moments, in which they still commit
  await eventually(
    'another PostgreSQL runs',
    async () => ![killed, undefined].includes(await postmasterOf(data)),
  );
  await eventually(
    'the server accepts again',
    async () => (await createAccount(server.url, 'After')).status === 201,
  );
  await eventually('the server lists what it accepted', async () => {
    const names = await accountNames(server.url);
    return names.includes('Before') && names.includes('After');
  });
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

async function accountNames(url: string): Promise<readonly string[]> {
  const listed = await fetch(`${url}/v1/accounts`, { headers: { authorization: `Bearer ${key}` } });
  if (listed.status === 503) return [];
  expect(listed.status).toBe(200);
  const { data: accounts } = (await listed.json()) as { data: { name: string }[] };
  return accounts.map(({ name }) => name);
}

async function postmasterOf(data: string): Promise<number | undefined> {
  const file = await readFile(join(data, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '');
  return file === '' ? undefined : Number.parseInt(file, 10);
}
