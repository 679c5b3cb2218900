import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { documentedProgram, type PackedProject, packedProject, run } from './packed-project.ts';

let project: PackedProject;

beforeAll(async () => {
  project = await packedProject();
});

afterAll(() => project.remove());

it('the client imports nothing beyond Node, however far its imports are followed', async () => {
  const start = join(project.installed, 'dist/client/client.js');
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
    cwd: project.path,
  });
  expect(JSON.parse(stdout)).toEqual(['millrace', 'function', 'ConnectionError', 'unreachable']);
});

it('keeps the rest of the package to itself', async () => {
  const program = `await import('millrace/dist/main.js').catch(({ code }) => console.log(code));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], {
    cwd: project.path,
  });
  expect(stdout.trim()).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
});

it('has types that a strict consumer and the documentation compile with, and that catch what is wrong', async () => {
  const sources = { 'consumer.ts': consumer, 'documented.ts': await documentedProgram() };
  expect(await project.compile(sources)).toBe('');
});

it('shows the documentation of its calls in an editor', async () => {
  const shown = await quickInfo(project.path, [
    ...['client.batches.send', 'client.templates.set', 'client.keys.rotate', 'client.webhooks.rotate'],
    ...['client.messages.send', 'client.events', 'client.call', 'client.close'],
  ]);
  expect(shown).toEqual(shown.map(() => expect.stringMatching(/\w/)));
  expect(shown[0]).toContain('Sends all messages of a source as one batch');
});

/** What an editor shows of each of these when the pointer is on its last name. */
async function quickInfo(path: string, expressions: string[]): Promise<string[]> {
  const file = join(path, 'shown.ts');
  const before = `import { createClient } from 'millrace/client';\nconst client = createClient({ url: 'http://x' });\n`;
  await writeFile(file, before + expressions.map((expression) => `${expression};\n`).join(''));
  const host: ts.LanguageServiceHost = {
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    directoryExists: ts.sys.directoryExists,
    realpath: ts.sys.realpath!,
    getCompilationSettings: () => ({ module: ts.ModuleKind.NodeNext, strict: true, types: [] }),
    getScriptFileNames: () => [file],
    getScriptVersion: () => '1',
    getScriptSnapshot(name) {
      const text = ts.sys.readFile(name);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => path,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
  };
  const service = ts.createLanguageService(host);
  let at = before.length;
  return expressions.map((expression) => {
    const info = service.getQuickInfoAtPosition(file, at + expression.length - 1);
    at += expression.length + 2;
    return ts.displayPartsToString(info?.documentation);
  });
}

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
interface Order {
  number: number;
}
const order: Order = { number: 7 };
const few = [{ to: '+31612345678', params: order, metadata: order }] as const;
await client.messages.send(few);
await client.batches.send(few, { route: 'sms', params: order, metadata: order, tags: ['spring'] as const });
await client.templates.preview('welcome', { params: order });
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
