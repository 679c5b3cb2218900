import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { builtMain, startProcess } from '../support/start-process.ts';

const root = dirname(dirname(builtMain()));
let directory: string;
let database: TestDatabase;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-alone-'));
  for (const part of ['dist', 'migrations', 'package.json'])
    await cp(join(root, part), join(directory, part), { recursive: true });
  database = await createTestDatabase({ empty: true });
});

afterAll(async () => {
  await database.drop();
  await rm(directory, { recursive: true });
});

it('serves from a directory that holds no packages, as in the image', async () => {
  const server = await startProcess(
    ['serve', '--port', '0', '--data', join(directory, 'data')],
    { MILLRACE_DATABASE_URL: database.url, MILLRACE_SECRET_KEY: Buffer.alloc(32, 1).toString('base64') },
    { program: join(directory, 'dist', 'main.js') },
  );
  try {
    for (const path of [
      '/readyz',
      '/openapi.json',
      '/docs',
      '/docs/page.css',
      '/docs/page.js',
      '/',
      '/metrics',
    ]) {
      const { status } = await fetch(server.url + path);
      expect([path, status]).toEqual([path, 200]);
    }
  } finally {
    expect(await server.stop()).toBe(0);
  }
});

it('names the packages that are in it, with their licenses', async () => {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const text = await readFile(join(root, 'dist', 'third-party-licenses.txt'), 'utf8');
  const named = text.split(`\n${'-'.repeat(80)}\n\n`).map((part) => part.split('\n', 1)[0]!);
  const absent = Object.entries(manifest.dependencies).filter(
    ([name, version]) => !named.some((line) => line.startsWith(`${name} ${version} (`)),
  );
  // Of this one only types are used.
  expect(absent.map(([name]) => name)).toEqual(['@fastify/type-provider-typebox']);
  expect(named.filter((line) => !/^\S+ \d\S* \(\S.*\)$/.test(line))).toEqual([]);
});
