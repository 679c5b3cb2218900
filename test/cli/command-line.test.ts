import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../../src/cli/failure.ts';
import { runCli } from '../support/run-cli.ts';
import {
  answerJson,
  answerProblem,
  type Handler,
  readBody,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';

let directory: string;
const servers: ScriptedServer[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
});
afterAll(() => rm(directory, { recursive: true }));
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function serverOf(handle: Handler): Promise<{ MILLRACE_URL: string; MILLRACE_KEY: string }> {
  const server = await startScriptedServer(handle);
  servers.push(server);
  return { MILLRACE_URL: server.url, MILLRACE_KEY: 'k' };
}

describe('wrong usage ends with status 2 and says what is wrong', () => {
  it.each([
    [[], /Usage: millrace/],
    [['frob'], /unknown command 'frob'/],
    [['serv'], /Did you mean serve/],
    [['help', 'frob'], /unknown command 'frob'\n\(millrace --help/],
    [['help', 'serv'], /Did you mean serve/],
    [['help', 'batch', 'wath'], /unknown command 'wath'\n\(Did you mean watch\?\)\n\(millrace batch --help/],
    [['batch', 'help', 'frob'], /unknown command 'frob'/],
    [['batch'], /Usage: millrace batch/],
    [['batch', 'show'], /missing required argument 'id'/],
    [['batch', 'list', '--limit', 'many'], /must be a whole number/],
    [['batch', 'list', '--account', 'a\nb'], /the id of an account/],
    [['batch', 'export', 'x', '--format', 'xml'], /ndjson, csv/],
    [['batch', 'export', 'x', '--json'], /--output/],
    [['batch', 'resolve', 'x', '--as', 'lost'], /sent, failed/],
    [['serve', '--port', 'http'], /port \(flag --port\)/],
    [['serve', '--prot', '1'], /unknown option '--prot'/],
    [['serve', '--roles', 'sing'], /"sing" is no role/],
    [['send'], /nothing to send/],
    [['send', 'x.csv'], /--route/],
    [['send', 'x.csv', '--to', '+31612345678'], /not both/],
    [['send', '--to', 'x', '--template', 't', '--body', 'b'], /--template, or --body/],
    [['send', '--to', 'x', '--params', '[1]'], /JSON object/],
    [['template', 'create', 't', '--channel', 'fax'], /sms, email, webhook/],
    [['template', 'set', 't', '--url', 'http://127.0.0.1:1'], /nothing to change/],
    [['message', 'find'], /--to, --ref and --state/],
    [['route', 'set', 'sms'], /--connector/],
    [['route', 'test', 'sms'], /--to/],
    [['route', 'set', 'sms', '--header', 'nonsense'], /Name: value/],
    [['account', 'set', '1', '--url', 'http://127.0.0.1:1'], /nothing to change/],
    [['sink', '--fail-rate', '2'], /from 0 to 1/],
    [['sink', '--fail-rate', '0.6', '--hang-rate', '0.6'], /together are 1 at most/],
    [['demo', '--messages', '0'], /whole number/],
    [['batch', 'show', 'x', '--url', 'here'], /give where the server listens/],
    [['send', '--to', 'x', '--strict'], /for files/],
    [['send', '--to', 'x'], /says nothing/],
  ] as [string[], RegExp][])('%j', async (argv, message) => {
    // Whether or not a server runs on this machine.
    const { status, out, err } = await runCli(argv, { MILLRACE_KEY: 'k', MILLRACE_DATA: directory });
    expect(err).toMatch(message);
    expect({ status, out }).toEqual({ status: 2, out: '' });
  });
});

describe('a failure says what to do next', () => {
  it('when no server is known', async () => {
    const { status, err } = await runCli(['batch', 'list'], { MILLRACE_DATA: directory });
    expect(err).toMatch(/no server was found.*\nStart one with: millrace serve/);
    expect(status).toBe(1);
  });

  it('when the server is not reachable', async () => {
    const { status, err } = await runCli(['batch', 'list'], {
      MILLRACE_URL: 'http://127.0.0.1:1',
      MILLRACE_KEY: 'k',
    });
    expect(err).toMatch(/no connection to http:\/\/127\.0\.0\.1:1 \(ECONNREFUSED\)\nStart a server/);
    expect(status).toBe(1);
  });

  it('when there is no key, and when the key is wrong', async () => {
    const none = await runCli(['batch', 'list'], {
      MILLRACE_URL: 'http://127.0.0.1:1',
      MILLRACE_DATA: directory,
    });
    expect(none.err).toMatch(/no API key.*admin\.key/);
    const env = await serverOf((_, response) => answerProblem(response, 401, 'unauthorized'));
    const wrong = await runCli(['batch', 'list'], env);
    expect(wrong.err).toMatch(/\(unauthorized\)\nThe key is taken from MILLRACE_KEY/);
    expect([none.status, wrong.status]).toEqual([1, 1]);
  });

  it('when another program answers', async () => {
    const env = await serverOf((_request, response) => answerJson(response, 404, { message: 'no' }));
    const { status, err } = await runCli(['batch', 'list'], env);
    expect(status).toBe(1);
    expect(err).toMatch(/\(http_404\)\n.*another program.*--url/);
  });

  it('when another program has the port', async () => {
    const { MILLRACE_URL } = await serverOf(() => {});
    const { port } = new URL(MILLRACE_URL);
    const { status, err } = await runCli(['sink', '--port', port]);
    expect({ status, err }).toEqual({
      status: 1,
      err:
        `error: another program listens on port ${port} of 127.0.0.1 already (EADDRINUSE)\n` +
        'Choose another with --port (0 picks a free one), or end the program that has it.\n',
    });
  });

  it('when it is interrupted while it waits', async () => {
    const stop = new AbortController();
    const env = await serverOf((_request, response) => {
      answerJson(response, 200, {
        id: 'b',
        state: 'open',
        counts: { accepted: 1, queued: 1, sending: 0, retrying: 0 },
      });
      response.once('close', () => setImmediate(() => stop.abort(new Failure('stopped by SIGINT'))));
    });
    const { status, err } = await runCli(['batch', 'watch', 'b'], env, stop.signal);
    expect({ status, err }).toEqual({
      status: 1,
      err: expect.stringMatching(/(^|\n)error: stopped by SIGINT\n$/),
    });
  });

  it('with the first of the errors that a problem lists', async () => {
    const errors = Array.from({ length: 30 }, (_, index) => ({
      pointer: `/p${index}`,
      code: 'bad',
      detail: 'is bad',
    }));
    const env = await serverOf((_, response) =>
      answerProblem(response, 422, 'validation_failed', { errors }),
    );
    const { err } = await runCli(['route', 'set', 'r', '--connector', 'http'], env);
    expect(err).toContain('  /p0: bad: is bad\n');
    expect(err).toContain('  and 20 more\n');
  });

  it('once, when there is a single error', async () => {
    const env = await serverOf((_, response) =>
      answerProblem(response, 422, 'validation_failed', {
        detail: 'body /url: must be an http(s) URL',
        errors: [{ pointer: '/url', code: 'invalid_value', detail: 'must be an http(s) URL' }],
      }),
    );
    const { err } = await runCli(['route', 'set', 'r', '--connector', 'http'], env);
    expect(err).toBe('error: body /url: must be an http(s) URL (validation_failed)\n');
  });
});

describe('a database that cannot be used', () => {
  it('is told in a line with what to do, not as a trace', async () => {
    // Port 1 is nobody's: tcpmux, which no system runs any more.
    const { status, out, err } = await runCli(['migrate', '--database', 'postgres://a:b@127.0.0.1:1/c']);
    expect({ status, out }).toEqual({ status: 1, out: '' });
    expect(err).toMatch(/^error: the database: connect ECONNREFUSED 127\.0\.0\.1:1\n.*config show/);
    expect(err).not.toContain('    at ');
  });
});

describe('a command that opens the database', () => {
  it.each(['doctor', 'migrate'])('makes none where none is: %s', async (name) => {
    const home = await mkdtemp(join(directory, 'home-'));
    const { status, err } = await runCli([name], { MILLRACE_DATA: home });
    expect({ status, err }).toEqual({
      status: 1,
      err: expect.stringMatching(/^error: there is no database in .*\nGive --database/),
    });
    expect(await readdir(home)).toEqual([]);
  });

  it.each(['doctor', 'migrate'])(
    'looks at the one that the server of its directory uses: %s',
    async (name) => {
      const home = await mkdtemp(join(directory, 'home-'));
      const noted = (database: unknown) =>
        writeFile(join(home, 'server.json'), JSON.stringify({ url: 'http://127.0.0.1:1', pid: 1, database }));
      await noted({ url: 'postgres://a@127.0.0.1:1/c', whole: false });
      const partly = await runCli([name], { MILLRACE_DATA: home });
      expect(partly.err).toMatch(
        /uses another database: postgres:\/\/a@127\.0\.0\.1:1\/c\n.*give --database/,
      );
      await noted({ url: 'postgres://a@127.0.0.1:1/c', whole: true });
      const wholly = await runCli([name], { MILLRACE_DATA: home });
      expect(wholly.out + wholly.err).toContain('ECONNREFUSED 127.0.0.1:1');
      expect([partly.status, wholly.status, await readdir(home)]).toEqual([1, 1, ['server.json']]);
    },
  );
});

describe('a local server', () => {
  it('is found by what it wrote into its data directory', async () => {
    const seen: unknown[] = [];
    const env = await serverOf((request, response) => {
      seen.push(request.headers.authorization);
      answerJson(response, 200, { data: [], next: null });
    });
    await writeFile(join(directory, 'server.json'), JSON.stringify({ url: env.MILLRACE_URL, pid: 1 }));
    await writeFile(join(directory, 'admin.key'), 'from-the-file\n');
    expect(await runCli(['batch', 'list', '--data', directory])).toMatchObject({
      status: 0,
      out: 'no batches\n',
    });
    expect(await runCli(['batch', 'list', '--json'], { MILLRACE_DATA: directory })).toMatchObject({
      status: 0,
    });
    expect(new Set(seen)).toEqual(new Set(['Bearer from-the-file']));
  });
});

describe('the administrator key of this machine', () => {
  it('goes to the address of its own server and to loopback alone', async () => {
    const home = await mkdtemp(join(directory, 'home-'));
    await writeFile(join(home, 'admin.key'), 'from-the-file\n');
    // Reserved for documentation (RFC 5737), so that a key that were sent would reach nobody.
    const elsewhere = 'http://192.0.2.1:9';
    for (const [argv, env] of [
      [['batch', 'list', '--url', elsewhere], { MILLRACE_DATA: home }],
      [['batch', 'list'], { MILLRACE_DATA: home, MILLRACE_URL: 'http://127.0.0.1.example:9' }],
      [['batch', 'list', '--url', elsewhere, '--data', home], {}],
    ] as [string[], Record<string, string>][]) {
      const { status, err } = await runCli(argv, env, AbortSignal.timeout(5_000));
      expect({ argv, status, err }).toMatchObject({
        status: 1,
        err: expect.stringMatching(/MILLRACE_KEY is not set\nSet MILLRACE_KEY/),
      });
    }
  });

  it('goes to an address that is not loopback when the server of its directory wrote it', async () => {
    const env = await serverOf((_, response) => answerJson(response, 200, { data: [], next: null }));
    const home = await mkdtemp(join(directory, 'home-'));
    // 0.0.0.0 is what a server on all addresses announces.
    const url = env.MILLRACE_URL.replace('127.0.0.1', '0.0.0.0');
    await writeFile(join(home, 'admin.key'), 'from-the-file\n');
    await writeFile(join(home, 'server.json'), JSON.stringify({ url, pid: 1 }));
    expect(await runCli(['batch', 'list', '--data', home])).toMatchObject({ status: 0 });
  });
});

describe('a route', () => {
  it('is written from flags over a file', async () => {
    const bodies: unknown[] = [];
    const env = await serverOf(async (request, response) => {
      bodies.push(JSON.parse(String(await readBody(request))));
      answerJson(response, 200, { name: 'sms', connector: 'http' });
    });
    const file = join(directory, 'route.json');
    await writeFile(file, JSON.stringify({ connector: 'http', timeoutMs: 1, retry: { maxMs: 5 } }));
    const flags = [
      '--endpoint',
      'https://x.example/',
      '--header',
      'X-A: b: c',
      '--batch-max',
      '500',
      '--timeout-ms',
      '2000',
      '--rate',
      '1.5',
    ];
    const { status } = await runCli(
      ['route', 'set', 'sms', '--file', file, ...flags, '--allow-private', '--accounts', '1,2'],
      env,
    );
    expect(status).toBe(0);
    expect(bodies).toEqual([
      {
        connector: 'http',
        retry: { maxMs: 5 },
        url: 'https://x.example/',
        headers: { 'X-A': 'b: c' },
        batch: { max: 500 },
        timeoutMs: 2_000,
        allowPrivate: true,
        ratePerSecond: 1.5,
        accounts: ['1', '2'],
      },
    ]);
  });
});

describe('the URL of a provider', () => {
  it('is not taken from --url, which would be sent the key', async () => {
    let requests = 0;
    const env = await serverOf((_request, reply) => {
      requests++;
      answerJson(reply, 200, {});
    });
    const { status, err } = await runCli(
      ['route', 'set', 'sms', '--connector', 'http', '--url', env.MILLRACE_URL],
      env,
    );
    expect({ status, requests }).toEqual({ status: 2, requests: 0 });
    expect(err).toContain('--endpoint');
  });
});

describe('a test of a route', () => {
  it.each([
    [{ result: 'sent', providerRef: 'p-1', elapsedMs: 12 }, 0, /sent in 12 ms, reference p-1/],
    [{ result: 'rejected', error: { code: 'bad', detail: 'no' }, elapsedMs: 1 }, 1, /not sent: no \(bad\)/],
    [{ result: 'uncertain', error: { code: 't', detail: 'late' }, elapsedMs: 1 }, 1, /may or may not.*late/],
  ])('%j ends with status %i', async (answer, expected, words) => {
    const env = await serverOf((_, response) => answerJson(response, 200, answer));
    const { status, out, err } = await runCli(['route', 'test', 'sms', '--to', '+31612345678'], env);
    expect(out + err).toMatch(words);
    expect(status).toBe(expected);
  });
});

describe('a search that finds nothing', () => {
  it.each([
    ['31610000042', '; with the code of its country a number is found anyway: --to +31612345678'],
    ['06 1000 0042', '; with the code of its country a number is found anyway: --to +31612345678'],
    ['+31 6 1000 0042', ''],
    ['0031-610000042', ''],
    ['+31610000042', ''],
    ['a@example.com', ''],
  ])('says how numbers are written: %s', async (to, hint) => {
    const env = await serverOf((_, response) => answerJson(response, 200, { data: [], next: null }));
    expect(await runCli(['message', 'find', '--to', to], env)).toEqual({
      status: 0,
      out: `no such messages${hint}\n`,
      err: '',
    });
  });
});

describe('where a key may look into other accounts', () => {
  const answering = (scopes: string[]) =>
    serverOf(({ url }, response) =>
      answerJson(response, 200, url === '/v1/caller' ? { accountId: '1', scopes } : { data: [], next: null }),
    );
  const where = ' in account 1; --account ID looks into another: millrace account list';

  it.each([
    ['batch list', 'no batches'],
    ['message find --ref order-1', 'no such messages'],
  ])('%s says into which it looked', async (line, none) => {
    const env = await answering(['admin']);
    expect((await runCli(line.split(' '), env)).out).toBe(`${none}${where}\n`);
    expect((await runCli([...line.split(' '), '--account', '2'], env)).out).toBe(`${none}\n`);
    expect((await runCli(line.split(' '), await answering(['send', 'read']))).out).toBe(`${none}\n`);
  });
});

describe('a list of batches', () => {
  it('shows how many lines were rejected', async () => {
    const counts = { accepted: 5, rejected: 1_234, sent: 0, delivered: 0, failed: 0, uncertain: 0 };
    const batch = { id: 'b', state: 'open', route: 'r', counts, createdAt: 'then' };
    const env = await serverOf((_, response) => answerJson(response, 200, { data: [batch], next: null }));
    const { out } = await runCli(['batch', 'list'], env);
    expect(out).toMatch(/ACCEPTED +REJECTED +SENT/);
    expect(out).toMatch(/ 5 +1,234 +0 /);
  });
});

describe('a file that cannot be written', () => {
  it('is told in words', async () => {
    const env = await serverOf((_, response) => answerJson(response, 200, {}));
    const path = join(directory, 'no', 'such', 'x.ndjson');
    const { status, err } = await runCli(['batch', 'export', 'b', '-o', path], env);
    expect(err).toContain(`error: ${path}.partial cannot be written: there is no such file or folder\n`);
    expect(err).toContain(
      'Make the folder first. Then run the command again, or name another place with --output.',
    );
    expect(status).toBe(1);
  });
});

describe('a scenario that is not there', () => {
  it('is wrong usage', async () => {
    expect((await runCli(['lab', 'nothing'])).status).toBe(2);
  });
});

describe('a figure that is not there', () => {
  it('is wrong usage', async () => {
    expect((await runCli(['bench', 'nothing'])).status).toBe(2);
  });
});

describe('config', () => {
  it('shows every option with its source and no secret', async () => {
    const env = { MILLRACE_ADMIN_KEY: 'a-secret-admin-key', MILLRACE_PROT: '1' };
    const { status, out, err } = await runCli(['config', 'show', '--json', '--port', '1'], env);
    expect(status).toBe(0);
    expect(out).not.toContain('a-secret-admin-key');
    expect(JSON.parse(out)).toContainEqual(
      expect.objectContaining({ name: 'port', value: '1', source: 'flag --port' }),
    );
    expect(err).toContain('did you mean MILLRACE_PORT?');
  });

  it('names the variable of every option, also in the help of serve', async () => {
    expect((await runCli(['config', 'show'])).out).toMatch(/^leaseMs +\S+ +default +MILLRACE_LEASE_MS +\S/m);
    expect((await runCli(['serve', '--help'])).out).toMatch(/MILLRACE_LEASE_MS[\s\S]*MILLRACE_SECRET_KEY/);
  });

  it('checks that the files of TLS can be read', async () => {
    const missing = join(directory, 'none.pem');
    const { status, err } = await runCli(['config', 'check', '--tls-cert', missing, '--tls-key', missing]);
    expect(status).toBe(1);
    expect(err).toContain('tlsCert (flag --tls-cert)');
    expect(await runCli(['config', 'check'])).toMatchObject({ status: 0 });
  });
});
