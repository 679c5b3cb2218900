import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { builtMain, startProcess } from '../support/start-process.ts';

const root = dirname(dirname(builtMain()));
let directory: string;
let database: TestDatabase | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-alone-'));
  for (const part of ['dist', 'migrations', 'package.json'])
    await cp(join(root, part), join(directory, part), { recursive: true });
  database = await createTestDatabase({ empty: true });
});

afterAll(async () => {
  await database?.drop();
  await rm(directory, { recursive: true });
});

it('serves from a directory that holds no packages, and starts every kind of thread there', async () => {
  const server = await startProcess(
    ['serve', '--port', '0', '--data', join(directory, 'data')],
    { MILLRACE_DATABASE_URL: database!.url, MILLRACE_SECRET_KEY: Buffer.alloc(32, 1).toString('base64') },
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
  const threads = (await readdir(join(directory, 'dist'))).filter((name) => name.endsWith('-thread.js'));
  expect(threads).toContain('delivery-thread.js');
  expect(threads.length).toBeGreaterThanOrEqual(5);
  for (const name of threads) expect([name, await faultOfStart(name)]).toEqual([name, undefined]);
});

/** What it does not find. That it has no task here is no fault. */
async function faultOfStart(name: string): Promise<string | undefined> {
  const script = pathToFileURL(join(directory, 'dist', name));
  const code = `import(${JSON.stringify(script.href)}).then(() => 'loaded', (fault) => (fault.code === 'ERR_MODULE_NOT_FOUND' ? fault.message : 'loaded'))
    .then((outcome) => { require('node:worker_threads').parentPort.postMessage(outcome); process.exit(); })`;
  const worker = new Worker(code, { eval: true, workerData: {} });
  try {
    const [outcome] = (await once(worker, 'message')) as [string];
    return outcome === 'loaded' ? undefined : outcome;
  } finally {
    await worker.terminate();
  }
}

it('names the packages that are in it, with their licenses', async () => {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const server = await licenses('third-party-licenses.txt');
  const absent = Object.keys(manifest.dependencies).filter((name) => !server.has(name));
  // Only its types are used, which no bundle holds.
  expect(absent).toEqual(['@fastify/type-provider-typebox']);
  for (const [name, version] of Object.entries(manifest.dependencies)) {
    if (!absent.includes(name))
      expect([name, server.get(name)!.head]).toEqual([name, expect.stringContaining(`${name} ${version} (`)]);
  }
  const withoutText = [...server].filter(([, { text }]) => text.length < 200).map(([name]) => name);
  // They bring none: their manifests say MIT, and nothing else.
  expect(withoutText.sort()).toEqual(['abstract-logging', 'pg-types', 'pgpass']);
  const dashboard = await licenses('dashboard/third-party-licenses.txt');
  expect([...dashboard.keys()].sort()).toEqual([
    '@preact/signals',
    '@preact/signals-core',
    'preact',
    'uplot',
  ]);
});

/** By the name of the package. */
async function licenses(file: string): Promise<Map<string, { head: string; text: string }>> {
  const parts = (await readFile(join(root, 'dist', file), 'utf8')).split(`\n${'-'.repeat(80)}\n\n`);
  return new Map(
    parts.map((part) => {
      const [head, ...text] = part.split('\n');
      return [head!.split(' ')[0]!, { head: head!, text: text.join('\n') }];
    }),
  );
}
