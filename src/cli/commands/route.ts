import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { NewRoute, Route, SendWindow } from '../../client/client.ts';
import { fileFault } from '../../lib/file-fault.ts';
import { allOf } from '../all-of.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure, usageFailure } from '../failure.ts';
import { withFieldNames } from '../field-names.ts';
import {
  collect,
  decimalNumber,
  oneOf,
  type ServerOptions,
  wholeNumber,
  withExamples,
  withServer,
} from '../flags.ts';
import { formatDuration, formatTable } from '../format.ts';
import { printNote, printResult } from '../output.ts';
import { sendWindow, sendWindowForm, sendWindowHelp } from '../send-window.ts';
import { connect } from '../server-access.ts';
import {
  changeDestinations,
  collectDestination,
  type DestinationChange,
  dropDestination,
} from './route-destinations.ts';

export function routeCommand(context: CommandContext): Command {
  const command = new Command('route').description('the ways out: where messages go and how fast');
  command.addCommand(listCommand(context));
  command.addCommand(
    nameCommand(context, 'show', {
      description: 'one route with all its options; credentials only with --json',
      act: (routes, name) => routes.get(name),
      render: (route) => JSON.stringify(masked(route as Route), null, 2),
    }),
  );
  command.addCommand(setCommand(context));
  command.addCommand(
    nameCommand(context, 'delete', {
      description: 'remove a route',
      async act(routes, name) {
        await routes.delete(name);
        return { deleted: name };
      },
      render: (_, name) => `route ${name} is deleted`,
    }),
  );
  command.addCommand(
    nameCommand(context, 'pause', {
      description: 'send nothing through it for now',
      act: (routes, name) => routes.pause(name),
      render: (_, name) => `route ${name} is paused`,
    }),
  );
  command.addCommand(
    nameCommand(context, 'resume', {
      description: 'send through it again',
      act: (routes, name) => routes.resume(name),
      render: (_, name) => `route ${name} is resumed`,
    }),
  );
  command.addCommand(
    nameCommand(context, 'rotate-receipts-url', {
      description: 'another URL for what the provider reports later, in place of one that became known',
      act: (routes, name) => routes.rotateReceiptsUrl(name),
      render: (route, name) =>
        `tell the provider of route ${name}: ${textOf((route as Route).receiptsUrl)} (the old URL ends within a second)`,
    }),
  );
  command.addCommand(testCommand(context));
  return withExamples(
    command,
    'route list',
    'route set sms --connector http --endpoint https://api.example.com/sms',
  );
}

function listCommand(context: CommandContext): Command {
  const command = withServer(new Command('list'))
    .description('all routes')
    .action(async (flags: ServerOptions) => {
      const routes = await allOf(connect(context, flags).routes.all());
      printResult(
        context,
        { data: routes },
        { json: flags.json, render: ({ data }, width) => describeRoutes(data, width) },
      );
    });
  return withExamples(command, 'route list', 'route list --json');
}

type RouteCalls = ReturnType<typeof connect>['routes'];

interface NameAction {
  description: string;
  act: (routes: RouteCalls, name: string) => Promise<unknown>;
  render: (result: unknown, name: string) => string;
}

function nameCommand(
  context: CommandContext,
  name: string,
  { description, act, render }: NameAction,
): Command {
  const command = withServer(new Command(name))
    .description(description)
    .argument('<name>')
    .action(async (route: string, flags: ServerOptions) => {
      const result = await act(connect(context, flags).routes, route);
      printResult(context, result, { json: flags.json, render: (value) => render(value, route) });
    });
  return withExamples(command, `route ${name} sms`);
}

/** Headers may hold credentials, under names that only the provider knows: people are shown which there are. */
function masked(route: Route): Route {
  const shown = Object.entries(route).map(([name, value]) => [name, secretName.test(name) ? '***' : value]);
  const whole = Object.fromEntries(shown) as Route;
  if (!isObject(route.headers)) return whole;
  return { ...whole, headers: Object.fromEntries(Object.keys(route.headers).map((name) => [name, '***'])) };
}

/** Options of presets and webhooks that hold credentials: authToken, apiKey, secretAccessKey, secrets, … */
const secretName = /(token|key|secrets?|password)$/i;

interface TestFlags extends ServerOptions {
  to: string;
  from?: string;
  body?: string;
  subject?: string;
}

function testCommand(context: CommandContext): Command {
  const command = withServer(new Command('test'))
    .description('send one message at once, also while it is paused, and tell what the provider said')
    .argument('<name>')
    .requiredOption('--to <recipient>', 'who gets it')
    .option('--from <sender>', 'who it is from')
    .option('--body <text>', 'its text (default: "Test message")')
    .option('--subject <text>', 'its subject')
    .action((name: string, flags: TestFlags) => test(context, name, flags));
  return withExamples(command, 'route test sms --to +31612345678 --from Acme');
}

async function test(context: CommandContext, name: string, flags: TestFlags): Promise<void> {
  const { to, from, body, subject } = flags;
  const answer = await connect(context, flags).routes.test(name, {
    to,
    ...(from !== undefined && { from }),
    ...(body !== undefined && { body }),
    ...(subject !== undefined && { subject }),
  });
  const { result, providerRef, error, elapsedMs } = answer;
  if (result === 'sent' || flags.json) {
    const reference = providerRef === undefined ? '' : `, reference ${providerRef}`;
    const render = () => `sent in ${formatDuration(elapsedMs)}${reference}`;
    printResult(context, answer, { json: flags.json, render });
  }
  if (result === 'sent') return;
  const meaning = result === 'uncertain' ? 'it may or may not have been sent' : 'it was not sent';
  throw new Failure(
    `${meaning}: ${error?.detail ?? 'the provider gave no reason'} (${error?.code ?? result})`,
  );
}

interface SetFlags extends ServerOptions {
  file?: string;
  change?: boolean;
  connector?: string;
  endpoint?: string;
  header?: Record<string, string>;
  channel?: string;
  batchMax?: number;
  timeoutMs?: number;
  allowPrivate?: boolean;
  /** False to take the limit away. */
  rate?: number | false;
  concurrency?: number;
  destination?: DestinationChange[];
  /** False to take it away. */
  sendWindow?: SendWindow | false;
  breaker?: false | Record<string, number>;
  retryWaitsMs?: number[];
  onUncertain?: string;
  accounts?: string[];
}

function setCommand(context: CommandContext): Command {
  const command = withServer(new Command('set'))
    .description('create a route or replace it')
    .argument('<name>')
    .option('--file <file>', 'JSON of the whole route; the options below win over it')
    .option(
      '--change',
      'keep what is not named here of the route as it is; null in the file takes an option away',
    )
    .option('--connector <name>', 'protocol of the provider: http; or webhook')
    .option('--endpoint <url>', 'URL of the provider (the route’s "url")')
    .option('--header <name: value>', 'header of every request; may be given several times', collectHeader)
    .option(
      '--channel <channel>',
      'sms, email or webhook: what recipients may be',
      oneOf('sms', 'email', 'webhook'),
    )
    .option('--batch-max <n>', 'messages in one request; without it one by one', wholeNumber(1, 1_000))
    .option('--timeout-ms <ms>', 'longest wait for an answer', wholeNumber(1))
    .option('--allow-private', 'let the URL lead to a private or loopback address')
    .option('--rate <n>', 'messages a second at most', decimalNumber(0.001, 1_000_000))
    .option('--no-rate', 'take the limit on messages a second away')
    .option('--concurrency <n>', 'requests at once', wholeNumber(1, 10_000))
    .option(
      '--destination <match,rate=n,concurrency=n>',
      'what goes to one prefix of numbers (+31), one host or domain (example.com), all below it (*.example.com), or to each other host or domain (*; numbers have none); may be given several times',
      collectDestination,
    )
    .option('--no-destination <match>', 'take the limits of this destination away', dropDestination)
    .option(`--send-window <${sendWindowForm}>`, sendWindowHelp, sendWindow)
    .option('--no-send-window', 'send at any time')
    .option(
      '--breaker <name=value,…>',
      'when to stop sending to a provider that seems down: failureRatio, requestsMin, windowMs, openMs, openMaxMs, probes',
      breakerOptions,
    )
    .option('--no-breaker', 'never stop')
    .option(
      '--retry-waits-ms <ms,ms,…>',
      'the wait after each attempt, in the place of a growing one; the last goes for all that follow',
      waitList,
    )
    .option(
      '--on-uncertain <policy>',
      'resend or hold what may or may not have been sent',
      oneOf('resend', 'hold'),
    )
    .option('--accounts <ids>', 'only these accounts may use it; several with commas', collect)
    .action((name: string, flags: SetFlags) => set(context, name, flags));
  withFieldNames(command, {
    url: 'endpoint',
    headers: 'header',
    'batch/max': 'batchMax',
    ratePerSecond: 'rate',
    destinations: 'destination',
    'retry/waitsMs': 'retryWaitsMs',
  });
  return withExamples(
    command,
    'route set sms --connector http --endpoint https://api.example.com/sms --header "Authorization: Bearer …" --rate 100',
    'route set test --connector http --endpoint http://127.0.0.1:9900/ --allow-private --batch-max 500',
    'route set slow --connector http --endpoint https://api.example.org/ --breaker failureRatio=0.8,openMaxMs=300000',
    "route set sms --change --destination +31,rate=20 --destination '+1,rate=100,concurrency=4'",
    'route set hooks --file webhook-route.json --retry-waits-ms 5000,300000,1800000',
    'route set sms --file sms-route.json',
    'route set sms --change --rate 250',
    'route set sms --change --send-window mon-sat,09:00-20:00,recipient',
    'route set sms --change --no-rate --no-destination +31',
  );
}

async function set(context: CommandContext, name: string, flags: SetFlags): Promise<void> {
  const given = {
    connector: flags.connector,
    url: flags.endpoint,
    headers: flags.header,
    channel: flags.channel,
    batch: flags.batchMax === undefined ? undefined : { max: flags.batchMax },
    timeoutMs: flags.timeoutMs,
    allowPrivate: flags.allowPrivate,
    ratePerSecond: flags.rate === false ? null : flags.rate,
    concurrency: flags.concurrency,
    sendWindow: flags.sendWindow === false ? null : flags.sendWindow,
    breaker: flags.breaker,
    onUncertain: flags.onUncertain,
    accounts: flags.accounts,
  };
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const named: Record<string, unknown> = {
    ...(flags.file === undefined ? {} : await readRouteFile(flags.file)),
    ...options,
  };
  const isUnnamed = flags.destination === undefined && flags.retryWaitsMs === undefined;
  if (flags.change && isUnnamed && Object.keys(named).length === 0) {
    throw usageFailure('there is nothing to change: name what shall be different');
  }
  // A new route is judged before a server is looked for, one that is changed with what it has already.
  if (!flags.change) refuseUnfinished(named, flags);
  const routes = connect(context, flags).routes;
  const present = flags.change ? await routes.get(name) : undefined;
  if (flags.destination) {
    named.destinations = changeDestinations(named.destinations ?? present?.destinations, flags.destination);
  }
  if (flags.retryWaitsMs) named.retry = scheduled(named.retry ?? present?.retry, flags.retryWaitsMs);
  const route = changed(present ?? {}, named);
  refuseUnfinished(route, flags);
  const result = await routes.set(name, route as NewRoute);
  if (!result.channel && namesEach(result.destinations)) {
    printNote(
      context,
      'note: "*" limits each host or domain; numbers have none, and need prefixes such as +31',
    );
  }
  printResult(context, result, {
    json: flags.json,
    render: () => `route ${name} is ${flags.change ? 'changed' : 'set'}`,
  });
}

/** @throws Failure of usage when a route lacks what every route has */
function refuseUnfinished(route: Record<string, unknown>, { url }: SetFlags): void {
  if (!('connector' in route)) throw usageFailure('a route needs --connector, or --file with one');
  // --url is the server, as in every command. Taken for the provider's, it would send the provider our key.
  if (url !== undefined && route.connector === 'http' && !('url' in route) && !('preset' in route))
    throw usageFailure('--url names the Millrace server; the URL of the provider goes into --endpoint');
}

/** On a route of no channel, which takes numbers as well. */
function namesEach(destinations: unknown): boolean {
  return Array.isArray(destinations) && destinations.some(({ match }) => match === '*');
}

/**
 * The route as it is shown, without what the server writes itself, with what is named put over it; headers and the
 * numbers of the breaker one by one. Null takes an option away, and shows one that is not there.
 */
function changed(present: Partial<Route>, named: Record<string, unknown>): Record<string, unknown> {
  const { name: _name, paused: _paused, createdAt: _createdAt, updatedAt: _updatedAt, ...rest } = present;
  const { receiptsUrl: _receiptsUrl, ...fields } = rest;
  const { headers, breaker } = named;
  const route = {
    ...fields,
    ...named,
    ...(isObject(headers) && isObject(fields.headers) && { headers: { ...fields.headers, ...headers } }),
    ...(isObject(breaker) && isObject(fields.breaker) && { breaker: { ...fields.breaker, ...breaker } }),
  };
  return Object.fromEntries(Object.entries(route).filter(([, value]) => value !== null));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readRouteFile(path: string): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (isObject(value)) return value;
  } catch (error) {
    throw new Failure(`${path} cannot be read as JSON: ${fileFault(error)}`);
  }
  throw new Failure(`${path} must hold a JSON object`);
}

function collectHeader(text: string, before: Record<string, string> = {}): Record<string, string> {
  const colon = text.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('It must look like "Name: value".');
  return { ...before, [text.slice(0, colon).trim()]: text.slice(colon + 1).trim() };
}

/** A schedule takes the place of the backoff, and says how many attempts there are. */
function scheduled(retry: unknown, waitsMs: number[]): Record<string, unknown> {
  const { backoffMinMs, backoffMaxMs, attemptsMax, ...rest } = isObject(retry) ? retry : {};
  return { ...rest, waitsMs };
}

function waitList(text: string): number[] {
  const waits = text.split(',').map((part) => Number(part.trim()));
  if (!waits.every((wait) => Number.isInteger(wait) && wait > 0))
    throw new InvalidArgumentError('It must look like 5000,300000,1800000.');
  return waits;
}

/** Which names there are is the server's to say. */
function breakerOptions(text: string): Record<string, number> {
  const pairs = text.split(',').map((part) => /^\s*(\w+)=(\d+(\.\d+)?)\s*$/.exec(part));
  if (!pairs.every((pair) => pair !== null))
    throw new InvalidArgumentError('It must look like failureRatio=0.5,openMs=1000.');
  return Object.fromEntries(pairs.map(([, name, value]) => [name!, Number(value)]));
}

function describeRoutes(routes: Route[], width: number): string {
  if (routes.length === 0) return 'no routes; make one with: millrace route set';
  const rows = routes.map((route) => [
    route.name,
    route.connector,
    textOf(route.channel),
    textOf(route.url),
    textOf(route.ratePerSecond),
    route.paused === true || route.pausedAt ? 'paused' : '',
  ]);
  return formatTable(['NAME', 'CONNECTOR', 'CHANNEL', 'URL', 'RATE/S', ''], rows, { width });
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
}
