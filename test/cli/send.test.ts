import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type LineServer, startLineServer } from '../support/line-server.ts';
import { runCli } from '../support/run-cli.ts';

let directory: string;
let server: LineServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-send-'));
});
afterAll(() => rm(directory, { recursive: true }));
afterEach(() => server.stop());

const lines = Array.from({ length: 3_000 }, (_, index) =>
  JSON.stringify({ to: `+3161234${index}`, body: 'hello' }),
);

async function start(
  options: Parameters<typeof startLineServer>[0] = {},
): Promise<{ MILLRACE_URL: string; MILLRACE_KEY: string }> {
  server = await startLineServer(options);
  return { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
}

async function fileOf(name: string, content: string | Buffer): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

it('sends a file once: run again, it answers with the batch that it was', async () => {
  const env = await start();
  const path = await fileOf('a.ndjson', lines.join('\n'));
  const first = await runCli(['send', path, '--route', 'sms'], env);
  expect(first).toMatchObject({
    status: 0,
    out: expect.stringContaining('batch b1: 3,000 messages accepted'),
  });
  expect(server.closed()).toBe(true);
  const second = await runCli(['send', path, '--route', 'sms'], env);
  expect(second).toMatchObject({ status: 0, out: expect.stringContaining('already sent as batch b1') });
  expect(server.lines).toEqual(lines);
});

it('goes on from where an earlier run was stopped', async () => {
  const stop = new AbortController();
  const env = await start({
    faults: [{ kind: 'cut', afterBytes: 60_000 }],
    onCut: () => stop.abort(new Error('stopped')),
  });
  const path = await fileOf('b.ndjson', lines.join('\n'));
  expect(await runCli(['send', path, '--route', 'sms'], env, stop.signal)).toMatchObject({ status: 1 });
  const durable = server.lines.length;
  const { status, out } = await runCli(['send', path, '--route', 'sms', '--json'], env);
  expect(status).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ resumedFrom: durable + 1, alreadySent: false });
  expect(server.lines).toEqual(lines);
});

it('goes on by itself after broken connections, and tells how often', async () => {
  const env = await start({
    faults: [
      { kind: 'cut', afterBytes: 60_000 },
      { kind: 'cut', afterBytes: 30_000 },
    ],
  });
  const path = await fileOf('c.ndjson', lines.join('\n'));
  const { status, out, err } = await runCli(['send', path, '--route', 'sms', '--json'], env);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  expect(JSON.parse(out)).toMatchObject({ batchId: 'b1', accepted: 3_000, alreadySent: false, retries: 2 });
  expect(server.lines).toEqual(lines);
});

it('sends anew with --again, and anew to another route or with other defaults', async () => {
  const env = await start();
  const path = await fileOf('d.ndjson', lines.slice(0, 3).join('\n'));
  for (const more of [[], [], ['--again'], ['--again'], ['--from', 'A'], ['--from', 'A'], ['--body', 'A']]) {
    await runCli(['send', path, '--route', 'sms', ...more], env);
  }
  expect(server.keys.size).toBe(5);
});

it.each([
  ['rows.csv', 'to,body\n+31612345678,hello\n', 'csv'],
  ['rows.data', 'to,body\n+31612345678,hello\n', 'csv'],
  ['lines.data', '{"to":"+31612345678"}\n', 'ndjson'],
  ['lines.jsonl', '{"to":"+31612345678"}\n', 'ndjson'],
] as const)('knows the format of %s', async (name, content, format) => {
  const env = await start({ format });
  const path = await fileOf(name, content);
  expect(await runCli(['send', path, '--route', 'sms'], env)).toMatchObject({ status: 0 });
  expect(server.contentTypes).toEqual([format === 'csv' ? 'text/csv' : 'application/x-ndjson']);
});

it('sends a gzip file as it is, whatever its name', async () => {
  const env = await start();
  const path = await fileOf('packed.data', gzipSync(lines.join('\n')));
  expect(await runCli(['send', path, '--route', 'sms'], env)).toMatchObject({ status: 0 });
  expect(server.lines).toEqual(lines);
});

it.each([
  ['array.json', '[{"to":"x"}]', /JSON array.*\n.*jq/],
  ['nothing.ndjson', '', /is empty/],
  ['prose.txt', 'Dear Sir or Madam', /neither NDJSON nor CSV.*\n.*--format/],
])('refuses %s and says what to do', async (name, content, message) => {
  const env = await start();
  const { status, err } = await runCli(['send', await fileOf(name, content), '--route', 'sms'], env);
  expect(err).toMatch(message);
  expect(status).not.toBe(0);
  expect(server.requests).toEqual([]);
});

it('refuses a file that is not there or not a file', async () => {
  const env = await start();
  expect(await runCli(['send', join(directory, 'none.csv'), '--route', 'sms'], env)).toMatchObject({
    status: 1,
    err: expect.stringContaining('cannot be read: there is no such file'),
  });
  expect(await runCli(['send', directory, '--route', 'sms', '--format', 'csv'], env)).toMatchObject({
    status: 2,
  });
});
