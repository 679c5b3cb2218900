import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import {
  answerJson,
  readBody,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';
import { createSite, type Site } from './several.ts';

let site: Site | undefined;
let provider: ScriptedServer | undefined;

afterEach(async () => {
  await site?.close();
  await provider?.stop();
  [site, provider] = [undefined, undefined];
  killProcesses();
});

const key = 'destinations-test-administrator-key-0123456789';
const each = 800;

interface Arrival {
  id: string;
  at: number;
}

async function startSite() {
  const { url } = await createTestDatabase();
  const sink = await startProcess(['sink', '--port', '0', '--arrivals', '5000', '--json'], {});
  const server = await startProcess(['serve', '--port', '0', '--database', url, '--log-level', 'warn'], {
    MILLRACE_ADMIN_KEY: key,
  });
  const call = async (method: string, path: string, body: unknown) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const response = await fetch(server.url + path, { method, headers, body: JSON.stringify(body) });
    expect(response.ok).toBe(true);
    return await response.json();
  };
  return {
    setRoute: (route: object) =>
      call('PUT', '/v1/routes/shaped', {
        connector: 'http',
        url: `${sink.url}/`,
        allowPrivate: true,
        ...route,
      }),
    /** One message to each; the answer is their ids. */
    async send(recipients: string[]): Promise<Set<string>> {
      const messages = recipients.map((to) => ({ to, body: 'x', route: 'shaped' }));
      const answer = (await call('POST', '/v1/messages', messages)) as { messages: { id: string }[] };
      return new Set(answer.messages.map(({ id }) => id));
    },
    /** What has arrived of these, once there are so many. */
    async arrived(ids: Set<string>, count: number): Promise<number[]> {
      const endMs = performance.now() + 60_000;
      for (;;) {
        const answer = await fetch(`${sink.url}/arrivals?after=0&limit=5000`);
        const { data } = (await answer.json()) as { data: Arrival[] };
        const at = data.filter(({ id }) => ids.has(id)).map((arrival) => arrival.at);
        if (at.length >= count) return at;
        if (performance.now() > endMs) throw new Error(`${at.length} of ${count} in time`);
      }
    },
  };
}

/** The most that arrived within any second. */
function mostWithinSecond(at: number[]): number {
  let most = 0;
  for (let from = 0, to = 0; to < at.length; to++) {
    while (at[to]! - at[from]! > 1_000) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

test('one prefix keeps to its rate while the others leave at once, and a changed rate holds amid it', {
  timeout: 120_000,
}, async () => {
  const site = await startSite();
  await site.setRoute({ channel: 'sms', destinations: [{ match: '+31', ratePerSecond: 20 }] });
  const numbers = (prefix: string) => Array.from({ length: each }, (_, n) => `${prefix}${10_000_000 + n}`);
  const dutch = await site.send(numbers('+316'));
  const german = await site.send(numbers('+4915'));
  await site.arrived(german, each);
  const slow = await site.arrived(dutch, 40);
  // A request takes its time on the way, so that some of one second arrive in the next.
  expect(mostWithinSecond(slow)).toBeLessThanOrEqual(2 * 20);

  await site.setRoute({ channel: 'sms', destinations: [{ match: '+31', ratePerSecond: 200 }] });
  const all = await site.arrived(dutch, each);
  expect(all).toHaveLength(each);
  expect(mostWithinSecond(all)).toBeLessThanOrEqual(2 * 200);
  expect(mostWithinSecond(all)).toBeGreaterThan(40);
});

test('of webhooks each host has the limit for itself', { timeout: 120_000 }, async () => {
  const site = await startSite();
  const destinations = [
    { match: '*', ratePerSecond: 20 },
    { match: 'free.example', ratePerSecond: 10_000 },
  ];
  await site.setRoute({ channel: 'webhook', destinations });
  const urls = (host: string, count: number) =>
    Array.from({ length: count }, (_, n) => `https://${host}/${n}`);
  const busy = await site.send(urls('busy.example', 200));
  const free = await site.send(urls('free.example', 200));
  const other = await site.send(urls('other.example', 20));
  await site.arrived(free, 200);
  await site.arrived(other, 20);
  const before = await site.arrived(busy, 30);
  expect(before.length).toBeLessThan(200);
  expect(mostWithinSecond(before)).toBeLessThanOrEqual(2 * 20);
});

test('three processes that share one connection to a prefix never have two requests at the provider', async () => {
  const count = 300;
  const open = { '+31': 0, '+49': 0 };
  const most = { ...open };
  const received = new Set<string>();
  provider = await startScriptedServer(async (request, response) => {
    const { id, to } = JSON.parse(String(await readBody(request))) as { id: string; to: string };
    const prefix = to.slice(0, 3) as keyof typeof open;
    most[prefix] = Math.max(most[prefix], ++open[prefix]);
    received.add(id);
    await sleep(5);
    open[prefix]--;
    answerJson(response, 200, {});
  });
  const destinations = [{ match: '+31', concurrency: 1 }];
  site = await createSite({ url: `${provider.url}/`, concurrency: 16, destinations });
  const server = await site.start('--processes', '3');
  await until(
    async () => [...(await site!.workers()).shards.values()].every((shards) => shards < 343),
    60_000,
  );
  const numbers = (prefix: string) => Array.from({ length: count }, (_, n) => `${prefix}${10_000_000 + n}`);
  // One by one, so that they are on shards of all three.
  await Promise.all(
    [...numbers('+316'), ...numbers('+4915')].map((to) =>
      site!.post(server, '/v1/messages', { to, body: 'x', route: 'flood' }),
    ),
  );
  await until(() => received.size === 2 * count, 90_000);
  expect(most['+31']).toBe(1);
  expect(most['+49']).toBeGreaterThan(1);
  await server.stop();
}, 240_000);
