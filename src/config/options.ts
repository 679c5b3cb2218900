import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseSecretKeys } from '../lib/secret-box.ts';
import { defaultDataDirectory } from './default-data-directory.ts';
import {
  choice,
  type Description,
  fraction,
  integer,
  type Option,
  text,
  truth,
  ValueError,
  type ValueOf,
} from './option.ts';
import { collector, databaseUrl, origin, replicaUrls, withoutPassword } from './url-options.ts';

export type Role = 'api' | 'deliver' | 'events';

/** Every option of the server, once. The key is its name in a file; `--flag-name` and `MILLRACE_FLAG_NAME` follow from it. */
export const options = {
  port: integer({
    doc: 'TCP port of the HTTP API; 0 picks a free one. A server that only delivers listens on one that is named alone: /livez, /readyz, /metrics',
    placeholder: '<port>',
    default: 8080,
    min: 0,
    max: 65_535,
    environmentHint:
      'Kubernetes sets MILLRACE_PORT itself for a service named "millrace": turn enableServiceLinks off',
  }),
  host: text({
    doc: 'address to listen on; 0.0.0.0 for every interface',
    placeholder: '<address>',
    default: '127.0.0.1',
  }),
  data: path({
    doc: 'data directory: the embedded PostgreSQL, server.json, admin.key, secret.key',
    placeholder: '<dir>',
    default: defaultDataDirectory(),
  }),
  database: databaseUrl({
    doc: 'PostgreSQL 15 or newer to use instead of the embedded one: postgres://user:password@host/name; of several hosts (host1,host2:5433) the one that takes writes is used',
    placeholder: '<url>',
    default: undefined,
    aliases: ['MILLRACE_DATABASE_URL'],
    redact: withoutPassword,
  }),
  eventsDatabase: databaseUrl({
    doc: 'PostgreSQL 15 or newer of their own for statistics; set later, it takes over those that there are',
    placeholder: '<url>',
    default: undefined,
    redact: withoutPassword,
  }),
  replicaUrls: replicaUrls({
    doc: 'standbys of the database that answer reads, with commas between; each URL leads to one server, not to a balancer',
    placeholder: '<urls>',
    default: [],
    redact: (urls) => urls.map(withoutPassword).join(',') || '(none)',
  }),
  replicaLagMaxMs: integer({
    doc: 'a replica that is further behind than this answers no reads',
    unit: 'ms',
    placeholder: '<ms>',
    default: 10_000,
    min: 500,
    max: 600_000,
  }),
  publicUrl: origin({
    doc: 'where providers reach this server, for the URLs that they call: http(s)://host:port; else as whoever asks reaches it',
    placeholder: '<url>',
    default: undefined,
  }),
  writeForwardUrl: origin({
    doc: 'server near the primary that makes the writes of this one, which stands beside a replica: http(s)://host:port',
    placeholder: '<url>',
    default: undefined,
  }),
  flyReplayRegion: region({
    doc: 'region of the primary on Fly.io: servers elsewhere let its proxy repeat writes there, by fly-replay',
    placeholder: '<region>',
    default: undefined,
  }),
  flyRegion: region({
    doc: 'region of this server on Fly.io, which sets it; in that of the primary writes are made here',
    placeholder: '<region>',
    default: undefined,
    aliases: ['FLY_REGION'],
  }),
  roles: roles({
    doc: 'what this server does: api, deliver, events (finds the messages of receipts, makes callbacks, adds up statistics)',
    placeholder: '<list>',
    default: ['api', 'deliver', 'events'],
  }),
  processes: integer({
    doc: 'processes of this server that deliver; the first of them serves the API as well',
    unit: 'processes',
    placeholder: '<n>',
    default: 1,
    min: 1,
    max: 64,
  }),
  tlsCert: optionalPath({
    doc: 'PEM file with the certificate chain',
    placeholder: '<file>',
    default: undefined,
  }),
  tlsKey: optionalPath({ doc: 'PEM file with the private key', placeholder: '<file>', default: undefined }),
  logLevel: choice({
    doc: 'least severe log line to write: fatal, error, warn, info, debug, trace or silent',
    placeholder: '<level>',
    default: 'info',
    values: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
  }),
  logAttempts: truth({
    doc: 'write a log line for each attempt to hand a message over: a flood makes millions',
    placeholder: '<true|false>',
    default: false,
  }),
  logRecipients: choice({
    doc: 'how recipients are written in the log: masked, or full',
    placeholder: '<how>',
    default: 'masked',
    values: ['masked', 'full'],
  }),
  otlpEndpoint: collector({
    doc: 'OpenTelemetry collector that gets traces of messages and the log, by OTLP over HTTP: http(s)://host:4318; else nothing of it is loaded',
    placeholder: '<url>',
    default: undefined,
    aliases: ['OTEL_EXPORTER_OTLP_ENDPOINT'],
  }),
  otlpHeaders: headers({
    doc: 'headers of requests to it, such as authorization=Bearer%20KEY; several with commas',
    default: {},
    secret: true,
    withoutFlag: true,
    aliases: ['OTEL_EXPORTER_OTLP_HEADERS'],
  }),
  traceRatio: fraction({
    doc: 'part of the messages that are sent singly of which there is a trace, from 0 to 1',
    placeholder: '<part>',
    default: 1,
  }),
  batchTraceRatio: fraction({
    doc: 'the same of messages of batches: a thousandth of 4,000,000 are 4,000 traces',
    placeholder: '<part>',
    default: 0.001,
  }),
  retentionDays: integer({
    doc: 'days that messages and their outcomes are kept; unfinished ones stay',
    unit: 'days',
    placeholder: '<days>',
    default: 56,
    min: 1,
    max: 3_650,
  }),
  statisticsMinuteDays: integer({
    doc: 'days that statistics by the minute are kept',
    unit: 'days',
    placeholder: '<days>',
    default: 7,
    min: 1,
    max: 366,
  }),
  statisticsHourDays: integer({
    doc: 'days that statistics by the hour are kept',
    unit: 'days',
    placeholder: '<days>',
    default: 90,
    min: 1,
    max: 3_660,
  }),
  statisticsDayDays: integer({
    doc: 'days that statistics by the day are kept',
    unit: 'days',
    placeholder: '<days>',
    default: 1_096,
    min: 1,
    max: 36_600,
  }),
  webhookDisableAfterMs: integer({
    doc: 'how long a webhook may fail without a success before it is not called any more',
    unit: 'ms',
    placeholder: '<ms>',
    default: 432_000_000,
    min: 1_000,
    max: 2_592_000_000,
  }),
  intakeConnections: integer({
    doc: 'database connections that write uploads and single messages',
    unit: 'connections',
    placeholder: '<n>',
    default: 6,
    min: 1,
    max: 100,
  }),
  deliveryConnections: integer({
    doc: 'database connections that load pending chunks and record outcomes',
    unit: 'connections',
    placeholder: '<n>',
    default: 4,
    min: 1,
    max: 100,
  }),
  readConnections: integer({
    doc: 'database connections that answer reads, and as many to each replica',
    unit: 'connections',
    placeholder: '<n>',
    default: 4,
    min: 1,
    max: 100,
  }),
  leaseMs: integer({
    doc: 'silence after which the shards of a worker are taken over',
    unit: 'ms',
    placeholder: '<ms>',
    default: 5_000,
    min: 1_000,
    max: 300_000,
  }),
  databaseWaitMs: integer({
    doc: 'how long a start waits for a database that is away, read-only, full or out of connections; 0 ends it at once',
    unit: 'ms',
    placeholder: '<ms>',
    default: 60_000,
    min: 0,
    max: 3_600_000,
  }),
  shutdownDelayMs: integer({
    doc: 'how long a server that was told to stop still takes requests while /readyz says 503, so that load balancers see it in time',
    unit: 'ms',
    placeholder: '<ms>',
    default: 0,
    min: 0,
    max: 300_000,
  }),
  adminKey: adminKey({
    doc: 'the first administrator key; else one is made at first start and written to admin.key',
    default: undefined,
    secret: true,
    withoutFlag: true,
  }),
  keyRequestsPerSecond: integer({
    doc: 'requests that each API key may make in each process, with twice as many at once; accounts may have their own limit',
    unit: 'requests a second',
    placeholder: '<n>',
    default: 10_000,
    min: 1,
    max: 1_000_000,
  }),
  secretKey: secretKey({
    doc:
      'keys of 32 bytes (base64 or hex, comma between) that encrypt the secrets of routes: the first encrypts, all decrypt; ' +
      'else secret.key in the data directory',
    default: undefined,
    secret: true,
    withoutFlag: true,
  }),
  namedStatements: truth({
    doc: 'prepare statements by name; turn off behind a PgBouncer older than 1.21 in transaction mode',
    placeholder: '<true|false>',
    default: true,
  }),
};

export type OptionName = keyof typeof options;
export type OptionValues = { [Name in OptionName]: ValueOf<(typeof options)[Name]> };

/** In the order of their definition. */
export const optionNames = Object.keys(options) as OptionName[];

export function optionOf(name: OptionName): Option<unknown> {
  return options[name] as Option<unknown>;
}

/** `retentionDays` → `retention-days`. */
export function flagOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `retentionDays` → `MILLRACE_RETENTION_DAYS`, and the option's other names. */
export function variablesOf(name: OptionName): string[] {
  return [`MILLRACE_${flagOf(name).replaceAll('-', '_').toUpperCase()}`, ...(optionOf(name).aliases ?? [])];
}

/** What `config show` prints for a value: never a secret. */
export function shownValue(name: OptionName, value: unknown): string {
  const option = optionOf(name);
  if (value === undefined) return '(none)';
  if (option.secret) return value === option.default ? '(none)' : '(secret)';
  if (option.redact) return option.redact(value);
  return Array.isArray(value) ? value.join(',') : String(value);
}

function path(description: Description<string>): Option<string> {
  return { ...description, parse: parsePath };
}

function optionalPath(description: Description<string | undefined>): Option<string | undefined> {
  return { ...description, parse: parsePath };
}

function parsePath(value: unknown, { directory }: { directory: string }): string {
  if (typeof value !== 'string' || value === '') throw new ValueError('must be a path');
  const expanded = value === '~' || value.startsWith('~/') ? join(homedir(), value.slice(1)) : value;
  return resolve(directory, expanded);
}

/** `name=value,name=value`, values as in URLs: as OpenTelemetry has them. */
function headers(
  description: Description<Readonly<Record<string, string>>>,
): Option<Readonly<Record<string, string>>> {
  return {
    ...description,
    parse(value) {
      if (typeof value === 'string') return Object.fromEntries(value.split(',').map(headerOf));
      if (typeof value !== 'object' || value === null) throw new ValueError(headersWanted);
      const pairs = Object.entries(value);
      if (!pairs.every(([name, text]) => isHeader(name, text))) throw new ValueError(headersWanted);
      return value as Record<string, string>;
    },
  };
}

const headersWanted = 'must be name=value, several with commas between, values encoded as in URLs';

function headerOf(pair: string): [string, string] {
  const at = pair.indexOf('=');
  const name = pair.slice(0, Math.max(0, at)).trim();
  try {
    const text = decodeURIComponent(pair.slice(at + 1).trim());
    if (isHeader(name, text)) return [name, text];
  } catch {
    // Told below.
  }
  throw new ValueError(headersWanted);
}

function isHeader(name: string, value: unknown): boolean {
  return /^[A-Za-z0-9-]+$/.test(name) && typeof value === 'string' && /^[\x20-\x7e]*$/.test(value);
}

function region(description: Description<string | undefined>): Option<string | undefined> {
  return {
    ...description,
    parse(value) {
      if (typeof value === 'string' && /^[a-z]{3}$/.test(value)) return value;
      throw new ValueError('must be the three letters of a region of Fly.io, such as ams');
    },
  };
}

function roles(description: Description<readonly Role[]>): Option<readonly Role[]> {
  return {
    ...description,
    parse(value) {
      const names = typeof value === 'string' ? value.split(',').map((name) => name.trim()) : value;
      if (!Array.isArray(names) || names.length === 0)
        throw new ValueError('must be a list such as api,deliver,events');
      for (const name of names) {
        if (name !== 'api' && name !== 'deliver' && name !== 'events') {
          throw new ValueError(`must list api, deliver and events; ${JSON.stringify(name)} is no role`);
        }
      }
      return [...new Set(names as Role[])];
    },
  };
}

function adminKey(description: Description<string | undefined>): Option<string | undefined> {
  return {
    ...description,
    parse(value) {
      if (typeof value !== 'string' || !/^[\x21-\x7e]{16,200}$/.test(value)) {
        throw new ValueError('must be 16 to 200 printable ASCII characters without spaces');
      }
      return value;
    },
  };
}

function secretKey(description: Description<string | undefined>): Option<string | undefined> {
  return {
    ...description,
    parse(value) {
      if (typeof value === 'string' && parseSecretKeys(value)) return value;
      throw new ValueError(
        'must be keys of 32 bytes such as `openssl rand -base64 32` makes, with commas between',
      );
    },
  };
}
