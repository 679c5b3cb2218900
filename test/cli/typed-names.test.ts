import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApi, type TestApi } from '../api/start-api.ts';
import { runCli } from '../support/run-cli.ts';

let api: TestApi;
let directory: string;

beforeAll(async () => {
  api = await startApi();
  directory = await mkdtemp(join(tmpdir(), 'millrace-typed-'));
});

afterAll(async () => {
  await api.stop();
  await rm(directory, { recursive: true });
});

const run = (...argv: string[]) => runCli(argv, { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey });

it.each([
  ['statistics --since nonsense', '--since: must be a time'],
  ['message find --to x --until nonsense', '--until: must be a time'],
  ['batch list --account 99', '--account names no account: see millrace account list'],
  ['webhook create billing notaurl', '<url>: is not a URL'],
  ['webhook create billing https://example.com/ --route nosuch', '--route nosuch: there is no route'],
  ['route set Bad --connector http --endpoint https://example.com/', '<name>: must be up to 64 of a-z'],
  ['route set x --connector http --endpoint notaurl', '--endpoint: url is not a URL'],
  ['route set x --connector http', '--endpoint: url is required'],
  ['route set x --connector http --endpoint https://example.com/ --header Host:x', '--header Host: '],
  ['route set x --connector http --endpoint https://example.com/ --accounts 1,9', '--accounts 9: '],
  ['template create x --channel sms', '--body: is required'],
  ['key create --scope read,all', '--scope all: must be "send"'],
  ['account create x --default-route sms=nope', '--default-route sms: there is no route'],
])('what is wrong with %s is said in the words in which it was typed', async (line, said) => {
  const { status, err } = await run(...line.split(' '));
  expect(err.slice(0, 'error: '.length + said.length)).toBe(`error: ${said}`);
  expect(status).toBe(1);
});

it('each of several errors names its flag', async () => {
  const { err } = await run(
    ...'route set x --connector http --endpoint http://10.0.0.1/ --timeout-ms 1'.split(' '),
  );
  expect(err).toMatch(/^ {2}--endpoint: address_not_allowed: /m);
  expect(err).toMatch(/^ {2}--timeout-ms: out_of_range: /m);
});

it('what came from a file is named as it stands there', async () => {
  const file = join(directory, 'route.json');
  await writeFile(file, JSON.stringify({ connector: 'http', url: 'notaurl' }));
  const { err } = await run('route', 'set', 'x', '--file', file, '--url', api.url);
  expect(err).toMatch(/^error: body \/url: url is not a URL/);
});
