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
  directory = await mkdtemp(join(tmpdir(), 'millrace-route-'));
});

afterAll(async () => {
  await api.stop();
  await rm(directory, { recursive: true });
});

const route = (...argv: string[]) =>
  runCli(['route', ...argv], { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey });

const shown = async (name: string) => {
  const { updatedAt: _, ...fields } = (await api.call('GET', `/v1/routes/${name}`)).json;
  return fields;
};

it('route set --change keeps everything that it does not name', async () => {
  await api.call('PUT', '/v1/routes/kept', {
    body: {
      connector: 'http',
      channel: 'sms',
      url: 'https://provider.example/',
      headers: { authorization: 'Bearer provider-secret', 'x-a': '1' },
      batch: { max: 7 },
      concurrency: 3,
      retry: { attemptsMax: 2 },
      breaker: { failureRatio: 0.9, openMs: 40, openMaxMs: 50 },
      accounts: ['1'],
    },
  });
  await api.call('POST', '/v1/routes/kept/pause');
  const before = await shown('kept');
  const flags = ['--rate', '250', '--breaker', 'openMs=20', '--header', 'x-a: 2'];
  expect(await route('set', 'kept', '--change', ...flags)).toMatchObject({ status: 0, err: '' });
  expect(await shown('kept')).toEqual({
    ...before,
    ratePerSecond: 250,
    breaker: { ...before.breaker, openMs: 20 },
    headers: { authorization: 'Bearer provider-secret', 'x-a': '2' },
  });
});

it('route set makes a schedule of retries, and route show keeps credentials to itself', async () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const file = join(directory, 'hooks.json');
  await writeFile(file, JSON.stringify({ connector: 'webhook', secrets: [{ secret }] }));
  const made = await route('set', 'hooks', '--file', file, '--retry-waits-ms', '1000,2000');
  expect(made).toMatchObject({ status: 0, err: '' });
  expect((await shown('hooks')).retry).toMatchObject({ waitsMs: [1_000, 2_000], attemptsMax: 3 });
  expect(await route('set', 'hooks', '--change', '--retry-waits-ms', '3000')).toMatchObject({ status: 0 });
  expect((await shown('hooks')).retry).toMatchObject({ waitsMs: [3_000], attemptsMax: 2 });
  expect((await route('set', 'hooks', '--change', '--retry-waits-ms', 'soon')).status).toBe(2);
  const { out } = await route('show', 'hooks');
  expect(out).toContain('"secrets": "***"');
  expect(out).not.toContain(secret);

  const preset = { connector: 'http', preset: 'mailgun', domain: 'mg.example.com', apiKey: 'mailgun-key' };
  await writeFile(file, JSON.stringify(preset));
  expect(await route('set', 'mail', '--file', file)).toMatchObject({ status: 0, err: '' });
  expect((await route('show', 'mail')).out).not.toContain('mailgun-key');
});

it('signing-key set takes the key of a file, or makes one and shows it this once', async () => {
  const signingKey = (...argv: string[]) =>
    runCli(['signing-key', ...argv], { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey });
  expect(await signingKey('show')).toMatchObject({
    status: 1,
    err: expect.stringMatching(/no signing key yet.*millrace signing-key set/s),
  });
  const file = join(directory, 'signing.key');
  await writeFile(file, 'PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd\n');
  const given = await signingKey('set', file);
  expect(given).toMatchObject({ status: 0, out: '…bbGd is used now\n' });
  expect((await signingKey('show')).out).toMatch(/^…bbGd since \d{4}-/);
  const made = await signingKey('set');
  expect(made).toMatchObject({ status: 0, out: expect.stringMatching(/^[\w-]{32}\n$/) });
  const shown = JSON.parse((await signingKey('show', '--json')).out);
  expect(shown).toEqual({ hint: `…${made.out.trim().slice(-4)}`, changedAt: expect.any(String) });
  await writeFile(file, 'short');
  expect((await signingKey('set', file)).status).toBe(1);
});

it('route set --change takes an option away that the file names as null', async () => {
  await route(
    'set',
    'freed',
    '--connector',
    'http',
    '--endpoint',
    'https://provider.example/',
    '--rate',
    '5',
  );
  const file = join(directory, 'change.json');
  await writeFile(file, '{"ratePerSecond": null}');
  expect(await route('set', 'freed', '--change', '--file', file)).toMatchObject({ status: 0 });
  expect(await shown('freed')).toMatchObject({ ratePerSecond: null, url: 'https://provider.example/' });
});

it('route set --destination limits what is named, and --change keeps the others', async () => {
  const one = ['--destination', '+31,rate=20', '--destination', '+49,rate=1.5,concurrency=4'];
  await route('set', 'shaped', '--connector', 'http', '--endpoint', 'https://provider.example/', ...one);
  expect((await shown('shaped')).destinations).toEqual([
    { match: '+31', ratePerSecond: 20 },
    { match: '+49', ratePerSecond: 1.5, concurrency: 4 },
  ]);
  const changed = ['--destination', '+31,rate=200', '--destination', '*,concurrency=2'];
  expect(await route('set', 'shaped', '--change', ...changed)).toMatchObject({ status: 0 });
  expect((await shown('shaped')).destinations).toEqual([
    { match: '+31', ratePerSecond: 200 },
    { match: '+49', ratePerSecond: 1.5, concurrency: 4 },
    { match: '*', concurrency: 2 },
  ]);
  expect(await route('set', 'shaped', '--change', '--destination', '+31')).toMatchObject({
    status: 1,
    err: expect.stringContaining('must have ratePerSecond or concurrency'),
  });
  expect(await route('set', 'shaped', '--change', '--destination', '+31,20')).toMatchObject({
    status: 2,
    err: expect.stringContaining('+31,rate=20'),
  });
});

it('route set takes the limits of a rate and of a destination away again', async () => {
  const endpoint = ['--connector', 'http', '--endpoint', 'https://provider.example/'];
  const two = ['--rate', '9', '--destination', '+31,rate=20', '--destination', 'Example.com,rate=1'];
  await route('set', 'loose', ...endpoint, ...two);
  const one = ['--change', '--no-rate', '--no-destination', '+31'];
  expect(await route('set', 'loose', ...one)).toMatchObject({ status: 0, err: '' });
  expect(await shown('loose')).toMatchObject({
    ratePerSecond: null,
    destinations: [{ match: 'example.com', ratePerSecond: 1 }],
  });
  expect(await route('set', 'loose', '--change', '--no-destination', '+49')).toMatchObject({
    status: 1,
    err: expect.stringMatching(/no destination "\+49"\nIt limits example\.com\./),
  });
  const swap = ['--no-destination', 'EXAMPLE.com', '--destination', '+49,rate=2'];
  expect(await route('set', 'loose', '--change', ...swap)).toMatchObject({ status: 0 });
  expect((await shown('loose')).destinations).toEqual([{ match: '+49', ratePerSecond: 2 }]);
  expect(await route('set', 'loose', '--change', '--no-destination', '+49')).toMatchObject({ status: 0 });
  expect((await shown('loose')).destinations).toBeNull();
});

it('send and route set take send windows, and batch show tells when a closed one opens', async () => {
  const env = { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey };
  const sendWindow = { days: ['mon', 'tue', 'sun'], from: '09:00', to: '20:00', timeZone: 'recipient' };
  const flags = ['--channel', 'sms', '--send-window', 'mon-tue,sun,09:00-20:00,recipient'];
  const endpoint = ['--connector', 'http', '--endpoint', 'https://provider.example/'];
  expect(await route('set', 'timely', ...endpoint, ...flags)).toMatchObject({ status: 0, err: '' });
  expect((await shown('timely')).sendWindow).toEqual(sendWindow);
  await route('set', 'timely', '--change', '--rate', '5');
  expect((await shown('timely')).sendWindow).toEqual(sendWindow);
  await route('set', 'timely', '--change', '--no-send-window');
  expect(await shown('timely')).toMatchObject({ sendWindow: null, ratePerSecond: 5 });
  expect((await route('set', 'timely', '--change', '--send-window', 'always')).status).toBe(2);

  const hour = (ahead: number) => new Date(Date.now() + ahead * 3_600_000).toISOString().slice(11, 13);
  const window = `mon-sun,${hour(3)}:00-${hour(5)}:00,UTC`;
  const lines = join(directory, 'timely.ndjson');
  await writeFile(lines, '{"to":"+31612345678","body":"x"}\n');
  const sent = await runCli(['send', lines, '--route', 'timely', '--send-window', window, '--json'], env);
  expect(sent).toMatchObject({ status: 0 });
  const { batchId, id = batchId } = JSON.parse(sent.out);
  const { out } = await runCli(['batch', 'show', id], env);
  expect(out).toContain(`${hour(3)}:00-${hour(5)}:00,UTC`);
  expect(out).toMatch(new RegExp(`opens .*T${hour(3)}:00:00.000Z \\(nothing is sent until then\\)`));
  const one = ['send', '--to', '+31612345678', '--body', 'x', '--send-window', window];
  expect(await runCli(one, env)).toMatchObject({ status: 2, err: expect.stringContaining('for files') });
});

it('route set says that * limits no numbers where the route takes them', async () => {
  const endpoint = ['--connector', 'http', '--endpoint', 'https://provider.example/'];
  const each = ['--destination', '*,rate=2'];
  expect((await route('set', 'each', ...endpoint, ...each)).err).toContain('prefixes such as +31');
  expect((await route('set', 'each', ...endpoint, ...each, '--channel', 'email')).err).toBe('');
  expect(await route('set', 'each', ...endpoint, '--destination', '31,rate=5')).toMatchObject({
    status: 1,
    err: expect.stringContaining('did you mean +31?'),
  });
});

it('route set --change makes no route, and does not pass over an empty change', async () => {
  expect(await route('set', 'nowhere', '--change', '--rate', '5')).toMatchObject({
    status: 1,
    err: expect.stringContaining('(not_found)'),
  });
  expect(await route('set', 'freed', '--change')).toMatchObject({
    status: 2,
    err: expect.stringContaining('nothing to change'),
  });
});

it('route set without --change replaces the whole', async () => {
  await route('set', 'kept', '--connector', 'http', '--endpoint', 'https://other.example/');
  expect(await shown('kept')).toMatchObject({
    url: 'https://other.example/',
    ratePerSecond: null,
    channel: null,
  });
});

it('route pause and resume say so in a line, and route show keeps credentials to itself without --json', async () => {
  const header = ['--header', 'Authorization: Bearer provider-secret'];
  const endpoint = ['--connector', 'http', '--endpoint', 'https://provider.example/'];
  await route('set', 'quiet', ...endpoint, ...header);
  expect(await route('pause', 'quiet')).toEqual({ status: 0, out: 'route quiet is paused\n', err: '' });
  expect(await route('resume', 'quiet')).toEqual({ status: 0, out: 'route quiet is resumed\n', err: '' });
  const people = await route('show', 'quiet');
  expect(people.out).toMatch(/"authorization": "\*\*\*"/i);
  expect(people.out).not.toContain('provider-secret');
  expect((await route('show', 'quiet', '--json')).out).toContain('Bearer provider-secret');
  const inside = ['--connector', 'http', '--endpoint', 'http://127.0.0.1:9/'];
  expect((await route('set', 'inside', ...inside)).err).toContain('--allow-private');
});

it('account list shows the limits on what leaves', async () => {
  const env = { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey };
  await runCli(['account', 'create', 'Slow', '--rate', '7'], env);
  expect((await runCli(['account', 'list'], env)).out).toMatch(/RATE\/S\n[\s\S]*Slow +1 +7$/m);
});

it('batch show and message show tell when a thing may leave, in which order, and that its route is paused', async () => {
  const body = { connector: 'http', channel: 'sms', url: 'https://provider.example/' };
  await api.call('PUT', '/v1/routes/later', { body });
  const env = { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey };
  const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();
  const times = { scheduledAt: day(1), expiresAt: day(2), orderingKey: 'k' };
  const batch = (await api.call('POST', '/v1/batches', { body: { route: 'later', ...times } })).json;
  const headers = { 'content-type': 'application/x-ndjson' };
  const line = '{"to":"+31612345678","body":"x"}\n';
  await api.call('POST', `/v1/batches/${batch.id}/messages`, { body: line, headers });
  const one = { to: '+31612345678', body: 'x', route: 'later', priority: 'bulk', ...times };
  const [message] = (await api.call('POST', '/v1/messages', { body: one })).json.messages;
  const shows = async () => [
    (await runCli(['batch', 'show', batch.id], env)).out,
    (await runCli(['message', 'show', message.id], env)).out,
  ];
  for (const out of await shows()) {
    expect(out).toMatch(/^route +later$/m);
    expect(out).toMatch(/^ordering key +k$/m);
    expect(out).toMatch(new RegExp(`^scheduled +${times.scheduledAt}$`, 'm'));
    expect(out).toMatch(new RegExp(`^expires +${times.expiresAt}$`, 'm'));
  }
  expect((await shows())[0]).toMatch(/^priority +bulk$/m);
  await route('pause', 'later');
  const [ofBatch, ofMessage] = await shows();
  expect(ofBatch).toMatch(/^route +later \(paused: /m);
  expect(ofMessage).toMatch(/^waits for +its route to be resumed: millrace route resume later$/m);
  expect(ofMessage).toMatch(new RegExp(`^ +the time that it is scheduled for: ${times.scheduledAt}$`, 'm'));
});

it('batch cancel says that what still waits is not sent, though it counts as canceled a moment later', async () => {
  const body = { connector: 'http', channel: 'sms', url: 'https://provider.example/' };
  await api.call('PUT', '/v1/routes/canceled', { body });
  const env = { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey };
  const batch = (await api.call('POST', '/v1/batches', { body: { route: 'canceled' } })).json;
  await api.call('POST', `/v1/batches/${batch.id}/messages`, { body: [{ to: '+31612345678', body: 'x' }] });
  const { out } = await runCli(['batch', 'cancel', batch.id], env);
  expect(out).toMatch(/^1 message that still waits is not sent.*millrace batch show /);
});

it('send --strict ends with status 1 when a line was rejected, also when the file was sent before', async () => {
  await api.call('PUT', '/v1/routes/strict', {
    body: { connector: 'http', channel: 'sms', url: 'https://provider.example/' },
  });
  const env = { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey };
  const send = async (name: string, lines: string[], ...flags: string[]) => {
    const path = join(directory, name);
    await writeFile(path, lines.join('\n'));
    return await runCli(['send', path, '--route', 'strict', ...flags], env);
  };
  const good = '{"to":"+31612345678","body":"x"}';
  const mixed = [good, '{"to":"nobody","body":"x"}'];
  expect(await send('mixed.ndjson', mixed)).toMatchObject({ status: 0 });
  for (const flags of [['--strict'], ['--strict', '--again']]) {
    const { status, err } = await send('mixed.ndjson', mixed, ...flags);
    expect({ status, err }).toEqual({
      status: 1,
      err: `error: 1 line of ${join(directory, 'mixed.ndjson')} was rejected (--strict)\n`,
    });
  }
  expect(await send('good.ndjson', [good], '--strict')).toMatchObject({
    status: 0,
    out: expect.stringContaining(': 1 message accepted in '),
  });
});

it('message find looks among the messages of the account that it names', async () => {
  const env = { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey };
  const { id } = await api.makeAccount('Found', ['send']);
  const argv = ['message', 'find', '--ref', 'order-1', '--account', id, '--json'];
  expect(await runCli(argv, env)).toMatchObject({ status: 0, err: '' });
});

it('a template is made from a file, changed, previewed, sent with and deleted', async () => {
  const env = { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey };
  const template = (...argv: string[]) => runCli(['template', ...argv], env);
  const file = join(directory, 'welcome.txt');
  await writeFile(file, 'Welcome {{ name }}');
  const made = await template('create', 'welcome', '--channel', 'sms', '--body-file', file);
  expect(made).toMatchObject({ status: 0, out: expect.stringContaining('a message must bring: name') });
  expect(await template('set', 'welcome', '--body', 'Hi {{ name }}')).toMatchObject({ status: 0, err: '' });
  expect((await template('list')).out).toMatch(/welcome +sms +2 +name/);
  const show = await template('show', 'welcome', '--template-version', '1', '--json');
  expect(JSON.parse(show.out)).toMatchObject({ version: 1, body: 'Welcome {{ name }}' });
  expect((await template('preview', 'welcome', '--params', '{"name":"Ann"}')).out.trim()).toBe('Hi Ann');
  const bad = await template('set', 'welcome', '--body', '{{ name');
  expect(bad).toMatchObject({ status: 1, err: expect.stringContaining('line 1, column 1') });
  await api.call('PUT', '/v1/routes/sms', {
    body: { connector: 'http', channel: 'sms', url: 'https://provider.example/' },
  });
  const lines = join(directory, 'lines.csv');
  await writeFile(lines, 'to,params.name\n+31612345678,Ann\n+31612345679,\n');
  const sent = await runCli(['send', lines, '--route', 'sms', '--template', 'welcome'], env);
  expect(sent).toMatchObject({ status: 0, out: expect.stringContaining('line 3: missing_params') });
  expect(await template('delete', 'welcome')).toMatchObject({ status: 0 });
  expect((await template('show', 'welcome')).status).toBe(1);
});
