import { dirname, resolve } from 'node:path';
import { ConfigError } from './config-error.ts';
import type { Environment } from './environment.ts';
import { ValueError } from './option.ts';
import { flagOf, type OptionName, type OptionValues, optionNames, optionOf, variablesOf } from './options.ts';
import { readConfigFile } from './read-config-file.ts';
import { placeOf } from './url-options.ts';

/** Where a value came from: the weakest first. */
export type Source =
  | { kind: 'default' }
  | { kind: 'file'; path: string }
  | { kind: 'environment'; variable: string }
  | { kind: 'flag'; flag: string };

export type Config = Readonly<OptionValues> & {
  readonly sources: Readonly<Record<OptionName, Source>>;
};

export interface ConfigInput {
  /** Values of flags by option name, as typed. */
  flags: Readonly<Partial<Record<OptionName | 'config', unknown>>>;
  env: Environment;
  /** A file of options; without it, the flag `--config` or the variable MILLRACE_CONFIG names one. */
  file?: string;
}

/** Every option's value: file < environment < flags. Throws ConfigError for the first that cannot be obeyed. */
export function resolveConfig(input: ConfigInput): Config {
  const file = configFile(input);
  const fromFile = file === undefined ? {} : readConfigFile(file);
  const values: Record<string, unknown> = {};
  const sources = {} as Record<OptionName, Source>;
  for (const name of optionNames) {
    const found = find(name, { input, fromFile, file });
    sources[name] = found.source;
    values[name] = found.source.kind === 'default' ? optionOf(name).default : parse(name, found);
  }
  const config = { ...(values as OptionValues), sources };
  checkTogether(config);
  return config;
}

export function describeSource(source: Source): string {
  switch (source.kind) {
    case 'default':
      return 'default';
    case 'file':
      return `file ${source.path}`;
    case 'environment':
      return `environment ${source.variable}`;
    case 'flag':
      return `flag ${source.flag}`;
  }
}

interface Found {
  source: Source;
  value: unknown;
}

function configFile({ file, flags, env }: ConfigInput): string | undefined {
  const named = file ?? flags.config ?? (env.MILLRACE_CONFIG || undefined);
  if (named === undefined) return undefined;
  if (typeof named !== 'string' || named === '')
    throw new ConfigError('invalid_option', 'config must be a path');
  return resolve(named);
}

interface Places {
  input: ConfigInput;
  fromFile: Record<string, unknown>;
  file: string | undefined;
}

function find(name: OptionName, { input, fromFile, file }: Places): Found {
  const flag = input.flags[name];
  if (flag !== undefined) return { source: { kind: 'flag', flag: `--${flagOf(name)}` }, value: flag };
  const variable = findVariable(name, input.env);
  if (variable !== undefined) {
    return { source: { kind: 'environment', variable }, value: input.env[variable] };
  }
  if (file !== undefined && Object.hasOwn(fromFile, name)) {
    return { source: { kind: 'file', path: file }, value: fromFile[name] };
  }
  return { source: { kind: 'default' }, value: undefined };
}

/** An empty variable counts as absent: `MILLRACE_HOST= millrace serve` is how shells and Compose files unset. */
function findVariable(name: OptionName, env: Environment): string | undefined {
  const set = variablesOf(name).filter((variable) => env[variable]);
  const [first, second] = set;
  if (first !== undefined && second !== undefined && env[first] !== env[second]) {
    throw new ConfigError(
      'invalid_option',
      `${name}: the environment has both ${first} and ${second}, and they differ`,
    );
  }
  return first;
}

function parse(name: OptionName, { source, value }: Found): unknown {
  const directory = source.kind === 'file' ? dirname(source.path) : process.cwd();
  try {
    return optionOf(name).parse(value, { directory });
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    const place = `${name} (${describeSource(source)})`;
    if (error.code === 'not_available') throw new ConfigError(error.code, `${place}: ${error.message}`);
    const { secret, redact, environmentHint } = optionOf(name);
    const given = secret || redact ? '' : ` is ${JSON.stringify(value)} and`;
    const hint = source.kind === 'environment' && environmentHint ? ` (${environmentHint})` : '';
    throw new ConfigError(error.code, `${place}${given} ${error.message}${hint}`);
  }
}

function checkTogether(config: Config): void {
  if (config.processes > 1 && !config.roles.includes('deliver')) {
    throw new ConfigError(
      'invalid_option',
      `processes (${describeSource(config.sources.processes)}) counts those that deliver, and roles leaves deliver out`,
    );
  }
  const { database, replicaUrls } = config;
  const itself = database && replicaUrls.find((url) => isSamePlace(url, database));
  if (itself !== undefined) {
    throw new ConfigError(
      'invalid_option',
      `replicaUrls (${describeSource(config.sources.replicaUrls)}) names the database itself: ${placeOf(itself)}`,
    );
  }
  const { eventsDatabase } = config;
  if (eventsDatabase && database && isSamePlace(eventsDatabase, database)) {
    throw new ConfigError(
      'invalid_option',
      `eventsDatabase (${describeSource(config.sources.eventsDatabase)}) names the database itself: leave it out, or name another`,
    );
  }
  checkWrites(config);
  if ((config.tlsCert === undefined) === (config.tlsKey === undefined)) return;
  const [present, absent] = config.tlsCert === undefined ? ['tlsKey', 'tlsCert'] : ['tlsCert', 'tlsKey'];
  throw new ConfigError(
    'invalid_option',
    `${present} (${describeSource(config.sources[present as OptionName])}) needs ${absent} with it`,
  );
}

/** Writes that are made elsewhere: of a server that takes some, and into the database that it reads. */
function checkWrites(config: Config): void {
  for (const name of ['writeForwardUrl', 'flyReplayRegion'] as const) {
    const refuse = (why: string) =>
      new ConfigError('invalid_option', `${name} (${describeSource(config.sources[name])}) ${why}`);
    if (config[name] === undefined) continue;
    if (!config.roles.includes('api')) throw refuse('is of writes that come in, and roles leaves api out');
    if (config.database === undefined) {
      throw refuse('needs database with it, the one that is written to there: this server reads it');
    }
  }
  if (config.flyReplayRegion === undefined || config.flyRegion !== undefined) return;
  throw new ConfigError(
    'invalid_option',
    `flyReplayRegion (${describeSource(config.sources.flyReplayRegion)}) needs flyRegion with it ` +
      '(FLY_REGION, which Fly.io sets): the servers of the primary make the writes themselves',
  );
}

/** A URL with several hosts is none that the language knows, and no replica is it. */
function isSamePlace(replicaUrl: string, databaseUrl: string): boolean {
  return URL.canParse(databaseUrl) && placeOf(replicaUrl) === placeOf(databaseUrl);
}
