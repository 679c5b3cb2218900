import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSite } from '../server/several.ts';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;

/** A project whose node_modules holds the packed package and nothing else. */
let project: string;
let installed: string;

beforeAll(async () => {
  project = await realpath(await mkdtemp(join(tmpdir(), 'millrace-package-')));
  installed = join(project, 'node_modules/millrace');
  await mkdir(installed, { recursive: true });
  // Without scripts: `npm test` has built, and a build beside running tests would take files from under them.
  const packing = ['pack', '--ignore-scripts', '--json', '--pack-destination', project];
  const { stdout } = await run('npm', packing, { cwd: root });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await run('tar', ['-xzf', join(project, filename), '-C', installed, '--strip-components=1']);
  await writeFile(join(project, 'package.json'), '{"type": "module"}');
});

afterAll(() => rm(project, { recursive: true }));

it('the client imports nothing beyond Node, however far its imports are followed', async () => {
  const start = join(installed, 'dist/client/client.js');
  const seen = new Set([start]);
  const outside = new Set<string>();
  for (const file of seen) {
    for (const name of importsOf(await readFile(file, 'utf8'))) {
      if (name.startsWith('.')) seen.add(join(dirname(file), name));
      else outside.add(name);
    }
  }
  expect(seen.size).toBeGreaterThan(15);
  expect([...outside].filter((name) => !name.startsWith('node:'))).toEqual([]);
  expect([...outside]).toContain('node:http');
});

function importsOf(source: string): string[] {
  const statements = source.matchAll(/^\s*(?:import|export)\b[^;]*?\bfrom\s*["']([^"']+)["']/gm);
  const bare = source.matchAll(/\bimport\s*["']([^"']+)["']/g);
  const calls = source.matchAll(/\b(?:import|require)\(\s*["']([^"']+)["']/g);
  return [...statements, ...bare, ...calls].map(([, name]) => name!);
}

it('is imported by name from a project that has nothing else, as is the description of the package', async () => {
  const program = `
    import { createClient, fileSource } from 'millrace/client';
    import description from 'millrace/package.json' with { type: 'json' };
    const client = createClient({ url: 'http://127.0.0.1:1', retryUnreachable: false });
    const error = await client.batches.get('x').catch((thrown) => thrown);
    console.log(JSON.stringify([description.name, typeof fileSource, error.name, error.kind]));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--no-warnings', '-e', program], {
    cwd: project,
  });
  expect(JSON.parse(stdout)).toEqual(['millrace', 'function', 'ConnectionError', 'unreachable']);
});

it('keeps the rest of the package to itself', async () => {
  const program = `await import('millrace/dist/main.js').catch(({ code }) => console.log(code));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: project });
  expect(stdout.trim()).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
});

it('has types that a strict consumer compiles with, and that catch what is wrong', async () => {
  expect(await faultsIn('consumer.ts')).toEqual([]);
});

it('does what its documentation shows, as it stands there, on a running server', async () => {
  expect(await faultsIn('examples.ts')).toEqual([]);
  await writeFile(join(project, 'customers.csv'), 'to,ref\n+31612345678,a\nnobody,b\n+31612345679,c\n');
  const site = await createSite();
  const server = await site.start();
  try {
    const route = { connector: 'http', url: `${site.sink.url}/`, allowPrivate: true };
    await site.put(server, '/v1/routes/sms', route);
    const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    const body = '{"type":"message.sent"}';
    const sentAt = new Date();
    const signature = new Webhook(secret).sign('msg_1', sentAt, body);
    const env = {
      ...{ MILLRACE_URL: server.url, MILLRACE_KEY: site.key, WEBHOOK_SECRET: secret },
      ...{ WEBHOOK_BODY: body, WEBHOOK_SIGNATURE: signature },
      WEBHOOK_TIMESTAMP: String(Math.floor(sentAt.getTime() / 1_000)),
    };
    const { stdout } = await run(process.execPath, ['examples.js'], { cwd: project, env });
    const told = stdout.split('\n');
    const wanted = ['2 [', '2500 of 2500', '0 1 invalid_recipient', '422 unknown_route', 'webhook 204 401'];
    expect(wanted.filter((text) => !told.some((line) => line.startsWith(text)))).toEqual([]);
    expect(stdout).toContain('the database went away');
  } finally {
    await server.stop();
    await site.close();
  }
});

const consumer = `import { ApiError, createClient, fileSource, type Batch, type ChangeEvent, type MessageState } from 'millrace/client';

const client = createClient({ url: 'http://127.0.0.1:8080', key: 'k' });
export const state: MessageState = (await client.messages.get('id')).state;
export const sent: Batch = await client.batches.send(fileSource({ path: 'a.csv' }), { route: 'sms' });
export const left: number = sent.counts.queued;
async function* rows() {
  yield { to: '+31612345678', body: 'Hello' };
}
await client.batches.send(rows(), { route: 'sms', idempotencyKey: 'x' });
await client.batches.send(process.stdin, { route: 'sms', format: 'csv' });
await client.batches.send((await fetch('http://127.0.0.1')).body!, { route: 'sms' });
await client.batches.send([{ to: '+31612345678' }], { route: 'sms' });
for await (const event of client.events({ after: 'now' })) {
  const change: ChangeEvent = event;
  if (change.state === 'failed') break;
}
for await (const message of client.batches.export(sent.id)) console.log(message.to.length);
await client.routes.set('sms', { connector: 'http', url: 'https://x', ratePerSecond: 5, breaker: false });
await client.routes.set('mail', { connector: 'smtp', host: 'x' });
try {
  await client.keys.create({ scopes: ['send', 'read'] });
} catch (error) {
  if (error instanceof ApiError && error.code === 'forbidden') console.log(error.retryAfterMs);
}
// @ts-expect-error no such state
await client.batches.replay(sent.id, { states: ['queued'] });
// @ts-expect-error a batch has a route
await client.batches.create({ body: 'x' });
// @ts-expect-error a message has a recipient
await client.messages.send({ body: 'x' });
// @ts-expect-error no such scope
await client.keys.create({ scopes: ['write'] });
// @ts-expect-error a path is no source of messages
await client.batches.send('a.csv', { route: 'sms' });
`;

/** Behind the examples: what they leave open is tried, and closed. */
const ending = `
await new Promise<void>((listening) => endpoint.listen(0, '127.0.0.1', listening));
const { port } = endpoint.address() as { port: number };
const post = async (body: string) => {
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': process.env.WEBHOOK_TIMESTAMP!,
    'webhook-signature': process.env.WEBHOOK_SIGNATURE!,
  };
  return (await fetch(\`http://127.0.0.1:\${port}\`, { method: 'POST', body, headers })).status;
};
console.log('webhook', await post(process.env.WEBHOOK_BODY!), await post('{}'));
endpoint.close();
client.close();
`;

/** The blocks of TypeScript of the page are one program. */
async function examples(): Promise<string> {
  const page = await readFile(join(root, 'docs/client.md'), 'utf8');
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block]) => block!);
  expect(blocks.length).toBeGreaterThan(8);
  return blocks.join('\n');
}

let compiled: Promise<string> | undefined;

async function faultsIn(file: string): Promise<string[]> {
  compiled ??= compile();
  const other = file === 'consumer.ts' ? 'examples.ts' : 'consumer.ts';
  return (await compiled).split('\n').filter((line) => line !== '' && !line.startsWith(other));
}

/** What the compiler says, once for both files: beside them stands their JavaScript then. */
async function compile(): Promise<string> {
  await writeFile(join(project, 'consumer.ts'), consumer);
  await writeFile(join(project, 'examples.ts'), `${await examples()}\n${ending}`);
  const compilerOptions = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ module: 'NodeNext', target: 'ES2023', lib: ['ES2023'], skipLibCheck: false },
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  const files = ['consumer.ts', 'examples.ts'];
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [compiler, '-p', project]).catch(
    (error: { stdout: string }) => error,
  );
  return stdout;
}
