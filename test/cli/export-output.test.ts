import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from '../support/run-cli.ts';
import { answerJson, type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';
import { builtMain } from '../support/start-process.ts';

let directory: string;
let output: string;
let server: ScriptedServer;
let body: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-export-'));
  output = join(directory, 'outcomes');
  server = await startScriptedServer((request, response) => {
    if (!request.url!.includes('/export'))
      return answerJson(response, 200, { id: 'b', counts: { accepted: 1 } });
    response.writeHead(200).end(body);
  });
});

afterEach(async () => {
  await server.stop();
  await rm(directory, { recursive: true });
});

function exportTo(format: 'csv' | 'ndjson') {
  const env = { MILLRACE_URL: server.url, MILLRACE_KEY: 'k', MILLRACE_DATA: directory };
  return runCli(['batch', 'export', 'b', '--format', format, '-o', output], env);
}

const records = 'id,body\r\n1,"of two\nlines, and\n# a hash"\r\n';
const trailerOf = (text: string) =>
  JSON.stringify({ trailer: { count: 1, sha256: createHash('sha256').update(text).digest('hex') } });
const problem = { code: 'unavailable', status: 503, title: 'x', detail: 'the database is not reachable' };

test('a CSV export that is whole is kept under its name, without the line that shows it', async () => {
  body = `${records}# ${trailerOf(records)}\r\n`;
  const { status, out } = await exportTo('csv');
  expect([status, out]).toEqual([0, `1 message written to ${output}\n`]);
  expect(await readFile(output, 'utf8')).toBe(records);
});

test.each([
  [
    'ends in an error',
    `${records}# ${JSON.stringify({ error: problem })}\r\n`,
    /the database is not reachable/,
  ],
  ['ends without its trailer', records, /without its trailer/],
  ['is not what its trailer says', `${records}# ${trailerOf('other')}\r\n`, /does not match its trailer/],
])('a CSV export that %s is a failure, and leaves no file', async (_, text, says) => {
  body = text;
  const { status, err } = await exportTo('csv');
  expect(status).toBe(1);
  expect(err).toMatch(says);
  expect(await readdir(directory)).toEqual([]);
});

test.runIf(process.platform === 'linux').each(['csv', 'ndjson'] as const)(
  'an export (%s) that its disk has no room for says so, and leaves the file that was there',
  async (format) => {
    const line = `${JSON.stringify({ id: '1', body: 'x' })}\n`;
    body = format === 'csv' ? `${records}# ${trailerOf(records)}\r\n` : `${line}${trailerOf(line)}\n`;
    await writeFile(output, 'of before');
    await symlink('/dev/full', `${output}.partial`);
    const { status, out, err } = await exportTo(format);
    expect([status, out]).toEqual([1, '']);
    expect(err).toMatch(
      /outcomes\.partial cannot be written: the disk is full\nMake room on it\. .*--output/,
    );
    expect(await readFile(output, 'utf8')).toBe('of before');
    expect(await readdir(directory)).toEqual(['outcomes']);
  },
);

test.runIf(process.platform === 'linux')(
  'an export to what is no file is written into it, and leaves it what it is',
  async () => {
    body = `${records}# ${trailerOf(records)}\r\n`;
    await symlink('/dev/full', output);
    expect(await exportTo('csv')).toMatchObject({
      status: 1,
      err: expect.stringMatching(/outcomes cannot be written: the disk is full/),
    });
    expect([await readdir(directory), await readlink(output)]).toEqual([['outcomes'], '/dev/full']);
    await unlink(output);
    await symlink('/dev/null', output);
    expect((await exportTo('csv')).status).toBe(0);
    expect([await readdir(directory), await readlink(output)]).toEqual([['outcomes'], '/dev/null']);
  },
);

test.runIf(process.platform === 'linux')(
  'a result that standard output has no room for is a failure, in words',
  async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [builtMain(), '--help'], { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    let said = '';
    child.stderr!.on('data', (text) => {
      said += text;
    });
    const [status] = await once(child, 'close');
    expect([status, said]).toEqual([
      1,
      'error: standard output cannot be written: the disk is full\nMake room on it.\n',
    ]);
  },
);
