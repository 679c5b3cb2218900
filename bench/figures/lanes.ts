import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { watchArrivals } from '../../src/cli/demo/watch-arrivals.ts';
import { type Figure, type FigureContext, ratios, sized } from '../figure.ts';
import { type Millrace, startMillrace, startSink } from '../millrace.ts';
import { shortDay } from '../short-day.ts';
import { percentile } from '../statistics.ts';

const fullDay = { accounts: 50, messagesPerSecond: 300 } as const;
const routes = 20;
const tickMs = 10;
const settleMs = 30_000;
/** Ten times what the provider of the others takes. */
const latencyMs = 5;
const slowMs = 50;
/** The account whose messages the third provider refuses says so in `from`. */
const refusedSender = 'Account 0';
const badPaths = ['/hang', '/slow', '/limited'] as const;

/** The promise that a bad route, or an account that a provider refuses, is nobody else's trouble. */
export const lanes: Figure = {
  name: 'lanes',
  title: '1,000 lanes, one route of which hangs, one is ten times slower and one answers 429 to one account',
  needs: [],
  async run(context) {
    const { accounts, messagesPerSecond } = dayOf(context);
    const p99 = { healthy: [] as number[], troubled: [] as number[] };
    for (let run = 0; run < context.runs; run++) {
      p99.healthy.push(percentile(await measure(context, false), 0.99));
      p99.troubled.push(percentile(await measure(context, true), 0.99));
    }
    return {
      measurements: [
        {
          name: "the others' p99 with the three / without",
          unit: 'ratio',
          values: ratios(p99.troubled, p99.healthy),
          target: { reach: 1.1, aim: 1, better: 'lower' },
        },
        { name: "the others' p99 without", unit: 'ms', values: p99.healthy },
        { name: "the others' p99 with", unit: 'ms', values: p99.troubled },
      ],
      notes: [
        `${accounts} accounts on ${routes} routes, ${messagesPerSecond} single messages a second over all lanes in turn, from the post to`,
        `the arrival. The others are the lanes of the ${routes - badPaths.length} routes that stay well, whose provider takes ${latencyMs} ms.`,
      ],
    };
  },
};

/** Milliseconds from post to arrival of the messages on the routes that are well. */
async function measure(context: FigureContext, troubled: boolean): Promise<number[]> {
  const database = await context.server.create('bench_millrace');
  const sink = await startSink(['--arrivals', '1000000', '--latency-ms', String(latencyMs)]);
  const bad = await startBadProvider();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  const arrivals = watchArrivals(sink.url);
  try {
    // A stop waits for what hangs.
    const timeoutMs = sized(context, { full: 5_000, short: 1_500 });
    const badUrl = `http://127.0.0.1:${(bad.address() as AddressInfo).port}`;
    for (let route = 0; route < routes; route++) {
      const path = troubled ? badPaths[route] : undefined;
      const url = path === undefined ? sink.url : badUrl + path;
      const body = { connector: 'http', url, allowPrivate: true, timeoutMs };
      await millrace.call('PUT', `/v1/routes/lane-${route}`, { body });
    }
    const day = dayOf(context);
    const keys = await createAccounts(millrace, day.accounts);
    const latenciesMs: number[] = [];
    const warmUpMs = sized(context, { full: 3_000, short: 500 });
    const runMs = sized(context, { full: 40_000, short: 1_000 });
    await post({ millrace, keys, day, runMs: warmUpMs + runMs }, (route, answer) => {
      if (route < badPaths.length) return;
      arrivals.expect(answer.id, (atMs) => {
        if (answer.sinceStartMs >= warmUpMs) latenciesMs.push(atMs - answer.postedAtMs);
      });
    });
    for (const endMs = performance.now() + settleMs; arrivals.missing() > 0 && performance.now() < endMs; ) {
      await arrivals.runOnce();
    }
    if (arrivals.missing() > 0)
      throw new Error(`${arrivals.missing()} messages of the others did not arrive`);
    return latenciesMs;
  } finally {
    arrivals.stop();
    await millrace.stop();
    await sink.stop();
    bad.closeAllConnections();
    bad.close();
    await database.drop();
  }
}

interface Day {
  accounts: number;
  messagesPerSecond: number;
}

function dayOf({ short }: FigureContext): Day {
  return short ? shortDay : fullDay;
}

interface Posted {
  id: string;
  postedAtMs: number;
  sinceStartMs: number;
}

/** An open loop: a slow answer does not slow the next post. */
async function post(
  settings: { millrace: Millrace; keys: string[]; day: Day; runMs: number },
  posted: (route: number, answer: Posted) => void,
): Promise<void> {
  const { millrace, keys, runMs } = settings;
  const { accounts, messagesPerSecond } = settings.day;
  const startMs = performance.now();
  const open = new Set<Promise<void>>();
  const one = async (number: number) => {
    const account = number % accounts;
    const route = Math.floor(number / accounts) % routes;
    const sinceStartMs = performance.now() - startMs;
    const postedAtMs = performance.timeOrigin + performance.now();
    const body = {
      to: '+31612345678',
      from: `Account ${account}`,
      body: 'Your code',
      route: `lane-${route}`,
    };
    const { messages } = await millrace.call<{ messages: { id: string }[] }>('POST', '/v1/messages', {
      body,
      key: keys[account]!,
    });
    posted(route, { id: messages[0]!.id, postedAtMs, sinceStartMs });
  };
  for (let number = 0; performance.now() - startMs < runMs; await delay(tickMs)) {
    const due = Math.floor(((performance.now() - startMs) / 1_000) * messagesPerSecond);
    for (; number < due; number++) {
      const running: Promise<void> = one(number).finally(() => open.delete(running));
      open.add(running);
    }
  }
  await Promise.all(open);
}

async function createAccounts(millrace: Millrace, accounts: number): Promise<string[]> {
  const keys: string[] = [];
  for (let number = 0; number < accounts; number++) {
    const account = await millrace.call<{ id: string }>('POST', '/v1/accounts', {
      body: { name: `account ${number}` },
    });
    const { key } = await millrace.call<{ key: string }>('POST', '/v1/keys', {
      body: { accountId: account.id, scopes: ['send'] },
    });
    keys.push(key);
  }
  return keys;
}

/** Never answers on one path, late on another, and refuses one sender on the third. */
async function startBadProvider(): Promise<Server> {
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      if (request.url === '/hang') return;
      const refused = request.url === '/limited' && text.includes(`"${refusedSender}"`);
      const answer = () => response.writeHead(refused ? 429 : 200).end('{}');
      if (request.url === '/slow') setTimeout(answer, slowMs);
      else answer();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
