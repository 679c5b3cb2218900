import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from './config-error.ts';
import { optionNames, options, shownValue, variablesOf } from './options.ts';
import { type ConfigInput, resolveConfig } from './resolve-config.ts';
import { unknownVariables } from './unknown-variables.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-config-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(content: unknown): string {
  const path = join(directory, 'millrace.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function refusal(input: Partial<ConfigInput>): ConfigError {
  try {
    resolveConfig({ flags: {}, env: {}, ...input });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the options were accepted');
}

describe('precedence', () => {
  it('gives every option its default, and says so', () => {
    const config = resolveConfig({ flags: {}, env: {} });
    for (const name of optionNames) {
      expect(config[name]).toEqual(options[name].default);
      expect(config.sources[name]).toEqual({ kind: 'default' });
    }
  });

  it('lets the environment win over the file and flags win over both', () => {
    const path = file({ port: 1, host: 'file', logLevel: 'debug' });
    const env = { MILLRACE_PORT: '2', MILLRACE_HOST: 'env' };
    const config = resolveConfig({ flags: { port: '3' }, env, file: path });
    expect(config).toMatchObject({ port: 3, host: 'env', logLevel: 'debug', processes: 1 });
    expect(config.sources).toMatchObject({
      port: { kind: 'flag', flag: '--port' },
      host: { kind: 'environment', variable: 'MILLRACE_HOST' },
      logLevel: { kind: 'file', path },
      processes: { kind: 'default' },
    });
  });

  it('finds the file by flag before it looks at MILLRACE_CONFIG', () => {
    const path = file({ port: 9 });
    expect(resolveConfig({ flags: { config: path }, env: { MILLRACE_CONFIG: '/nowhere.json' } }).port).toBe(
      9,
    );
    expect(resolveConfig({ flags: {}, env: { MILLRACE_CONFIG: path } }).port).toBe(9);
  });

  it('takes an empty variable as absent', () => {
    expect(resolveConfig({ flags: {}, env: { MILLRACE_PORT: '', MILLRACE_CONFIG: '' } }).port).toBe(8_080);
  });

  it('reads the database from either of its variables, and refuses two that differ', () => {
    const url = 'postgres://u@h/one';
    expect(resolveConfig({ flags: {}, env: { MILLRACE_DATABASE_URL: url } }).database).toBe(url);
    expect(
      resolveConfig({ flags: {}, env: { MILLRACE_DATABASE: url, MILLRACE_DATABASE_URL: url } }).database,
    ).toBe(url);
    const env = { MILLRACE_DATABASE: url, MILLRACE_DATABASE_URL: 'postgres://u@h/two' };
    expect(refusal({ env }).message).toContain('they differ');
  });

  it('reads replicas from a list with commas between, or from an array, and shows them without passwords', () => {
    const urls = ['postgres://u:a,b@one/x', 'postgres://u@two:5433/x?sslmode=require'];
    expect(resolveConfig({ flags: { replicaUrls: urls.join(', ') }, env: {} }).replicaUrls).toEqual(urls);
    expect(resolveConfig({ flags: {}, env: {}, file: file({ replicaUrls: urls }) }).replicaUrls).toEqual(
      urls,
    );
    expect(shownValue('replicaUrls', urls)).toBe(`postgres://u:***@one/x,${urls[1]}`);
    expect(shownValue('replicaUrls', [])).toBe('(none)');
  });

  it.each([
    ['http://one/x', 'one PostgreSQL server each'],
    ['postgres://one,two/x', 'one PostgreSQL server each'],
    ['postgres://one/x,two', 'one PostgreSQL server each'],
    ['postgres://one/x,,postgres://two/x', 'one PostgreSQL server each'],
    ['postgres://one/x,postgres://ONE/x', 'each server once'],
    ['postgres://one/x?target_session_attrs=standby', 'without target_session_attrs'],
    ['postgres://one/x?target_session_attrs=read-write', 'without target_session_attrs'],
    ['postgres://one/x,postgres://two@one:5432/x', 'each server once'],
    ['postgres://two/x?host=one,postgres://three/x?host=one', 'each server once'],
    ['postgres://u:p@here/x', 'names the database itself: here:5432/x'],
    ['postgres://one/x?host=here', 'names the database itself: here:5432/x'],
  ])('refuses %s as replicas', (replicaUrls, words) => {
    const flags = { database: 'postgres://other@here:5432/x', replicaUrls };
    expect(refusal({ flags }).message).toContain(words);
  });

  it('takes paths of a file relative to that file', () => {
    expect(resolveConfig({ flags: {}, env: {}, file: file({ data: 'data' }) }).data).toBe(
      join(directory, 'data'),
    );
  });
});

describe('refusals name the option, the source and the reason', () => {
  it.each([
    [
      { flags: { port: 'eighty' } },
      /^port \(flag --port\) is "eighty" and must be a whole number from 0 to 65535/,
    ],
    [{ flags: { port: '65536' } }, /^port/],
    [{ env: { MILLRACE_PORT: 'tcp://10.0.0.1:80' } }, /environment MILLRACE_PORT.*Kubernetes/],
    [{ flags: { port: '99999' } }, /flag --port.* must be a whole number from 0 to 65535$/],
    [{ flags: { logLevel: 'loud' } }, /^logLevel.*one of fatal, error/],
    [
      { flags: { database: 'mysql://localhost/x' } },
      /^database \(flag --database\) must be a PostgreSQL URL/,
    ],
    [
      { flags: { database: 'postgres://db1,db2/x?target_session_attrs=standby' } },
      /^database \(flag --database\) must have read-write, primary, any as target_session_attrs/,
    ],
    [{ flags: { leaseMs: '10' } }, /^leaseMs/],
    [{ flags: { tlsCert: 'cert.pem' } }, /^tlsCert \(flag --tls-cert\) needs tlsKey/],
    [{ flags: { roles: 'api,sing' } }, /"sing" is no role/],
    [{ flags: { namedStatements: 'perhaps' } }, /^namedStatements.*true or false/],
    [{ flags: { processes: '65' } }, /^processes \(flag --processes\).*from 1 to 64/],
    [{ env: { MILLRACE_ADMIN_KEY: 'short' } }, /^adminKey \(environment MILLRACE_ADMIN_KEY\) must be 16/],
  ] as [Partial<ConfigInput>, RegExp][])('%j', (input, message) => {
    const error = refusal(input);
    expect(error.message).toMatch(message);
    expect(error.code).toBe('invalid_option');
  });

  it('does not repeat a secret that it refuses', () => {
    expect(refusal({ env: { MILLRACE_ADMIN_KEY: 's3cret' } }).message).not.toContain('s3cret');
    expect(refusal({ flags: { database: 'http://u:s3cret@h/x' } }).message).not.toContain('s3cret');
  });

  it('takes every role that there is, each by itself as well', () => {
    const rolesOf = (roles: string) => resolveConfig({ flags: { roles }, env: {} }).roles;
    expect(rolesOf('api,deliver,events')).toEqual(['api', 'deliver', 'events']);
    expect(rolesOf('events')).toEqual(['events']);
  });

  it('starts no further processes for a server that does not deliver', () => {
    expect(refusal({ flags: { roles: 'api', processes: '2' } }).message).toMatch(/processes \(flag.*roles/);
  });

  const database = 'postgres://u@h/x';
  it.each([
    [{ otlpEndpoint: 'collector:4318' }, /^otlpEndpoint \(flag --otlp-endpoint\) must be http/],
    [{ otlpEndpoint: 'http://u:s3cret@collector' }, /^otlpEndpoint(?!.*s3cret).*otlpHeaders/],
    [{ otlpEndpoint: 'http://collector/?key=s3cret' }, /^otlpEndpoint(?!.*s3cret)/],
    [{ traceRatio: '1.5' }, /^traceRatio.*must be a number from 0 to 1/],
    [{ writeForwardUrl: 'ftp://home' }, /^writeForwardUrl \(flag --write-forward-url\) must be http/],
    [{ writeForwardUrl: 'http://home/v1' }, /^writeForwardUrl.*without a user, a path or a query/],
    [{ writeForwardUrl: 'http://u:s3cret@home' }, /^writeForwardUrl(?!.*s3cret)/],
    [{ writeForwardUrl: 'http://home', roles: 'deliver' }, /^writeForwardUrl.*roles leaves api out/],
    [{ writeForwardUrl: 'http://home', database: undefined }, /^writeForwardUrl.*needs database/],
    [{ flyReplayRegion: 'ams' }, /^flyReplayRegion \(flag --fly-replay-region\) needs flyRegion.*FLY_REGION/],
    [{ flyReplayRegion: 'ams', flyRegion: 'syd', database: undefined }, /^flyReplayRegion.*needs database/],
    [{ flyReplayRegion: 'ams;app=x', flyRegion: 'syd' }, /^flyReplayRegion.*three letters/],
  ])('%j', (flags, message) => {
    expect(refusal({ flags: { database, ...flags } }).message).toMatch(message);
  });

  it('takes the region that Fly.io names', () => {
    const env = { FLY_REGION: 'syd', MILLRACE_FLY_REPLAY_REGION: 'ams', MILLRACE_DATABASE: database };
    expect(resolveConfig({ flags: {}, env })).toMatchObject({ flyRegion: 'syd', flyReplayRegion: 'ams' });
  });

  it('names an unknown key of the file and what was probably meant', () => {
    const error = refusal({ file: file({ retentionDay: 3 }) });
    expect(error.code).toBe('unknown_option');
    expect(error.message).toMatch(/"retentionDay".*did you mean "retentionDays"/);
    expect(refusal({ file: file({ 'tls-cert': 'x' }) }).message).toContain('"tlsCert"');
    expect(refusal({ file: file({ banana: 1 }) }).message).not.toContain('did you mean');
  });

  it('names the file that is missing, no JSON or no object', () => {
    expect(refusal({ file: join(directory, 'none.json') }).message).toContain('none.json cannot be read');
    expect(refusal({ file: file('{') }).message).toContain('is not valid JSON');
    expect(refusal({ file: file([1]) }).message).toContain('must hold a JSON object');
    expect(refusal({ file: file({ port: 'x' }) }).message).toMatch(/^port \(file .*millrace.json\)/);
    expect(refusal({ file: file({ port: null }) }).message).toMatch(/^port/);
  });
});

describe('what is shown', () => {
  it('is never a secret', () => {
    expect(shownValue('adminKey', 'a-very-secret-key')).toBe('(secret)');
    expect(shownValue('database', 'postgres://me:s3cret@db/x')).toBe('postgres://me:***@db/x');
    expect(shownValue('database', 'postgres://me:s3cret@db1:5433,db2/x')).toBe(
      'postgres://me:***@db1:5433,db2/x',
    );
    expect(shownValue('database', 'postgres://db/x?password=s3cret')).not.toContain('s3cret');
  });

  it('tells a secret that is not set from one that is', () => {
    const { adminKey, otlpHeaders } = resolveConfig({ flags: {}, env: {} });
    expect([shownValue('adminKey', adminKey), shownValue('otlpHeaders', otlpHeaders)]).toEqual([
      '(none)',
      '(none)',
    ]);
    const env = { MILLRACE_OTLP_HEADERS: 'authorization=Bearer%20s3cret' };
    expect(shownValue('otlpHeaders', resolveConfig({ flags: {}, env }).otlpHeaders)).toBe('(secret)');
  });

  it('has one variable for each option, by one rule', () => {
    expect(variablesOf('retentionDays')).toEqual(['MILLRACE_RETENTION_DAYS']);
    expect(variablesOf('database')).toEqual(['MILLRACE_DATABASE', 'MILLRACE_DATABASE_URL']);
  });

  it('reports variables that nobody reads, with what was probably meant', () => {
    expect(unknownVariables({ MILLRACE_PROT: '1', MILLRACE_PORT: '1', MILLRACE_KEY: 'x', PATH: '' })).toEqual(
      [{ variable: 'MILLRACE_PROT', nearest: 'MILLRACE_PORT' }],
    );
  });

  it.each(['MILLRACE_CONFIG', 'MILLRACE_URL', 'MILLRACE_OUTBOX_DATABASE_URL'])(
    'knows %s, which no option has',
    (variable) => expect(unknownVariables({ [variable]: '1' })).toEqual([]),
  );

  it.each(['MILLRACE_FOO', 'MILLRACE_SEE', 'MILLRACE_SERVICE_HOST', 'MILLRACE_'])(
    'guesses nothing of %s, which is near to no variable but for what all begin with',
    (variable) => expect(unknownVariables({ [variable]: '1' })).toEqual([{ variable, nearest: undefined }]),
  );
});
