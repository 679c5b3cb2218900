import { setTimeout as sleep } from 'node:timers/promises';
import { startProvider } from '../../connectors/scripted-provider.ts';
import { until } from '../../delivery/mill.ts';
import { seededRandom } from '../../simulation/seeded-random.ts';
import { freePort } from '../../support/free-port.ts';
import { startProcess } from '../../support/start-process.ts';
import { createExchange, type FuzzAnswer, sendBytes } from './exchange.ts';
import { rememberIds } from './good-requests.ts';
import { leaks } from './leaks.ts';
import {
  type FuzzRequest,
  type Operation,
  plainRequest,
  type RequestSource,
  randomBytes,
  randomRequest,
} from './random-request.ts';
import { type ServerUse, serverUse } from './server-use.ts';

export interface FuzzReport {
  requests: number;
  /** Answers by status; `closed` for connections that were closed without one. */
  answers: Record<string, number>;
  /** What the server describes: each call was answered with 2xx at least once. */
  operations: number;
  before: ServerUse;
  after: ServerUse;
  /** What must not have happened. */
  broken: string[];
}

const adminKey = 'fuzz-administrator-key-0123456789abcdef';
const connections = 8;
/** The server's caches fill, and its code is compiled, before it is measured first. */
const warmUpShare = 0.2;
const bytesShare = 0.15;
/** What requests deleted or restricted is put right again. */
const renewEvery = 400;
const brokenMax = 20;
const restMsMax = 90_000;
const restPollMs = 500;

/** Sends random and mutated requests to every call of a server in a process of its own, and watches what it holds. */
export async function runFuzz(settings: {
  databaseUrl: string;
  requests: number;
  seed: number;
  onProgress?: (line: string) => void;
}): Promise<FuzzReport> {
  const { databaseUrl, requests, seed, onProgress = () => {} } = settings;
  const inspectorPort = await freePort();
  const sink = await startProcess(['sink', '--port', '0']);
  const resetting = await startProvider((socket) => socket.resetAndDestroy());
  const server = await startProcess(
    ['serve', '--port', '0', '--database', databaseUrl, '--log-level', 'fatal'],
    {
      MILLRACE_ADMIN_KEY: adminKey,
      MILLRACE_KEY_REQUESTS_PER_SECOND: '1000000',
      NODE_OPTIONS: `--inspect=127.0.0.1:${inspectorPort}`,
    },
  );
  const fuzz = new Fuzz({
    ...{ url: server.url, sinkUrl: sink.url, resettingUrl: resetting.url, seed },
    operations: await describe(server.url),
  });
  const use = () => serverUse({ pid: server.pid, inspectorPort, databaseUrl });
  try {
    const warmUp = Math.ceil(requests * warmUpShare);
    await fuzz.sendPlain();
    await fuzz.send(warmUp);
    await fuzz.rest();
    const before = await use();
    for (let sent = warmUp; sent < requests; sent += 5_000) {
      await fuzz.send(Math.min(5_000, requests - sent));
      onProgress(`${Math.min(requests, sent + 5_000)} requests, ${fuzz.broken.length} broken promises`);
    }
    await fuzz.rest();
    const after = await atRest(use, before);
    const broken = [
      ...fuzz.broken,
      ...fuzz.unreached(),
      ...leaks({ before, after, requests: requests - warmUp, connections }),
    ];
    if (server.child.exitCode !== null) broken.push(`the server ended with ${server.child.exitCode}`);
    else if ((await server.stop()) !== 0) broken.push('the server did not stop in order');
    return {
      requests,
      answers: fuzz.answers,
      operations: fuzz.source.operations.length,
      ...{ before, after, broken },
    };
  } finally {
    if (server.child.exitCode === null) await server.kill();
    await sink.stop();
    await resetting.stop();
  }
}

class Fuzz {
  readonly source: RequestSource;
  readonly answers: Record<string, number> = {};
  readonly #reached = new Set<string>();
  readonly broken: string[] = [];
  readonly #url: string;
  readonly #sinkUrl: string;
  readonly #resettingUrl: string;
  #exchange: ReturnType<typeof createExchange> | undefined;
  #sent = 0;

  constructor(of: {
    url: string;
    sinkUrl: string;
    resettingUrl: string;
    seed: number;
    operations: Operation[];
  }) {
    this.#url = of.url;
    this.#sinkUrl = of.sinkUrl;
    this.#resettingUrl = of.resettingUrl;
    const ids = {
      ...{ accounts: [], keys: [], routes: ['known', 'other'], batches: [], messages: [], receipts: [] },
      ...{ templates: [], webhooks: [], suppressions: [] },
    };
    this.source = { operations: of.operations, ids, random: seededRandom(of.seed) };
  }

  async send(requests: number): Promise<void> {
    let left = requests;
    const next = async () => {
      while (left-- > 0 && this.broken.length < brokenMax) {
        if (this.#sent++ % renewEvery === 0) await this.#renew();
        if (this.source.random.chance(bytesShare)) await this.#sendBytes();
        else await this.#sendOne(randomRequest(this.source));
      }
    };
    await Promise.all(Array.from({ length: connections }, next));
  }

  /** Connections are closed, so that what is open after that is the server's own. */
  async rest(): Promise<void> {
    this.#exchange?.close();
    this.#exchange = undefined;
  }

  /** Every call once with nothing wrong, those last that take something away: what none of these reaches, chance hardly does. */
  async sendPlain(): Promise<void> {
    const last = (one: Operation) => Number(one.method === 'DELETE' || one.path.endsWith('/cancel'));
    await this.#renew();
    for (const operation of this.source.operations.toSorted((a, b) => last(a) - last(b))) {
      if (operation.method !== 'GET') await this.#renew();
      if (/messages.*(replay|resolve)$/.test(operation.path)) await this.#postUncertain();
      await this.#sendOne(plainRequest(operation, this.source.ids));
    }
  }

  unreached(): string[] {
    const calls = this.source.operations.map(({ method, path }) => [method, path] as const);
    return calls
      .filter((call) => !this.#reached.has(callOf(...call)))
      .map((call) => `${call.join(' ')} was never answered with success`);
  }

  async #sendOne(request: FuzzRequest): Promise<void> {
    const { method, path, body } = request;
    const what = `${method} ${path.slice(0, 200)} ${body.subarray(0, 300).toString()}`;
    this.#exchange ??= createExchange(this.#url, adminKey, connections);
    const answer = await this.#exchange.send(request).catch((error: NodeJS.ErrnoException) => {
      // Not every header can be written by a client; a body that nobody wants may be cut off.
      if (
        !['ERR_INVALID_CHAR', 'ECONNRESET', 'EPIPE', 'ERR_UNESCAPED_CHARACTERS'].includes(error.code ?? '')
      ) {
        this.#fail(`${what}: ${error.message}`);
      }
      return undefined;
    });
    if (answer === undefined) this.#count('closed');
    else this.#judge(what, answer);
    if (answer?.status === undefined || answer.status >= 300) return;
    this.#reached.add(callOf(method, path));
    rememberIds(this.source.ids, { method, path, text: answer.text });
  }

  async #sendBytes(): Promise<void> {
    const bytes = randomBytes(this.source, adminKey);
    const what = JSON.stringify(bytes.subarray(0, 1_000).toString('latin1'));
    try {
      this.#judge(what, await sendBytes(this.#url, bytes));
    } catch (error) {
      this.#fail(`${what}: ${(error as Error).message}`);
    }
  }

  #judge(what: string, { status, contentType, text }: FuzzAnswer): void {
    this.#count(String(status ?? 'closed'));
    if (status === undefined) return;
    if (status >= 500) this.#fail(`${what}: ${status} ${text.slice(0, 500)}`);
    else if (status >= 400 && contentType !== '' && contentType !== 'application/problem+json') {
      this.#fail(`${what}: ${status} comes as ${contentType}`);
    }
  }

  /** A message of which nobody knows whether it was sent, the newest of all. */
  async #postUncertain(): Promise<void> {
    const provider = { connector: 'http', url: this.#resettingUrl, allowPrivate: true, onUncertain: 'hold' };
    await this.#call('PUT', '/v1/routes/uncertain', provider);
    await this.#call('POST', '/v1/messages', { to: '+31612345678', body: 'x', route: 'uncertain' });
    const path = `/v1/messages/${this.source.ids.messages.at(-1)}`;
    await until(async () => JSON.parse(await this.#call('GET', path)).state === 'uncertain');
  }

  async #call(method: string, path: string, body?: unknown): Promise<string> {
    const answer = await fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    // What is sent meanwhile may have taken away what it needs.
    if (answer.status >= 500) this.#fail(`${method} ${path}: ${answer.status} ${text}`);
    rememberIds(this.source.ids, { method, path, text });
    return text;
  }

  /** The routes, keys and accounts that the requests are about. */
  async #renew(): Promise<void> {
    for (const name of ['known', 'other']) {
      await this.#call('PUT', `/v1/routes/${name}`, {
        connector: 'http',
        url: `${this.#sinkUrl}/`,
        allowPrivate: true,
      });
    }
    await this.#call('POST', '/v1/accounts', { name: `Fuzz ${this.#sent}` });
    await this.#call('POST', '/v1/keys', { accountId: '1', scopes: ['read'] });
    await this.#call('POST', '/v1/batches', { route: 'known', body: 'x' });
    await this.#call('POST', '/v1/messages', { to: '+31612345678', body: 'x', route: 'known' });
  }

  #count(answer: string): void {
    this.answers[answer] = (this.answers[answer] ?? 0) + 1;
  }

  #fail(what: string): void {
    this.broken.push(what);
  }
}

async function describe(url: string): Promise<Operation[]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<
      string,
      Record<string, { parameters?: { in: string; name: string }[]; requestBody?: { content: object } }>
    >;
  };
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { parameters = [], requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      query: parameters.flatMap((parameter) => (parameter.in === 'query' ? [parameter.name] : [])),
      types: Object.keys(requestBody?.content ?? {}),
    })),
  );
}

/** Without its ids and query. */
function callOf(method: string, path: string): string {
  const [, version, resource = '', id, action = ''] = path.split('?')[0]!.split('/');
  return `${method} /${version}/${resource}${id === undefined ? '' : '/{}'}${action && `/${action}`}`;
}

/** Deliveries go on for a while; connections that were closed are gone a moment later. */
async function atRest(use: () => Promise<ServerUse>, before: ServerUse): Promise<ServerUse> {
  const endMs = performance.now() + restMsMax;
  for (;;) {
    const now = await use();
    if (leaks({ before, after: now, requests: 0, connections }).length === 0 || performance.now() > endMs)
      return now;
    await sleep(restPollMs);
  }
}
