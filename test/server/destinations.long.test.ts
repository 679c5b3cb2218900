import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { answerJson, readBody, startScriptedServer } from '../support/scripted-server.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';
import { createSite } from './several.ts';

const key = 'destinations-test-administrator-key-0123456789';
const each = 800;

interface Arrival {
  id: string;
  at: number;
}

let site: Awaited<ReturnType<typeof startSite>>;

beforeAll(async () => {
  site = await startSite();
});

afterAll(killProcesses);

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
    setRoute: (name: string, route: object) =>
      call('PUT', `/v1/routes/${name}`, {
        connector: 'http',
        url: `${sink.url}/`,
        allowPrivate: true,
        ...route,
      }),
    /** One message to each; the answer is their ids. */
    async send(route: string, recipients: string[]): Promise<Set<string>> {
      const messages = recipients.map((to) => ({ to, body: 'x', route }));
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
        await sleep(20);
      }
    },
  };
}

/** The most that arrived a second, over windows long enough that a stalled process does not show. */
function mostPerSecond(at: number[], windowMs = 2_000): number {
  let most = 0;
  for (let from = 0, to = 0; to < at.length; to++) {
    while (at[to]! - at[from]! > windowMs) from++;
    most = Math.max(most, to - from + 1);
  }
  return most / (windowMs / 1_000);
}

test('one prefix keeps to its rate while the others leave at once, and a changed rate holds amid it', async () => {
  await site.setRoute('sms', { channel: 'sms', destinations: [{ match: '+31', ratePerSecond: 20 }] });
  const numbers = (prefix: string) => Array.from({ length: each }, (_, n) => `${prefix}${10_000_000 + n}`);
  const dutch = await site.send('sms', numbers('+316'));
  const german = await site.send('sms', numbers('+4915'));
  await site.arrived(german, each);
  const slow = await site.arrived(dutch, 40);
  // A request takes its time on the way, so that some of one second arrive in the next.
  expect(mostPerSecond(slow)).toBeLessThanOrEqual(2 * 20);

  await site.setRoute('sms', { channel: 'sms', destinations: [{ match: '+31', ratePerSecond: 200 }] });
  const all = await site.arrived(dutch, each);
  expect(all).toHaveLength(each);
  expect(mostPerSecond(all)).toBeLessThan(300);
  expect(mostPerSecond(all)).toBeGreaterThan(40);
});

test('of webhooks each host has the limit for itself', async () => {
  const destinations = [
    { match: '*', ratePerSecond: 20 },
    { match: 'free.example', ratePerSecond: 10_000 },
  ];
  await site.setRoute('hosts', { channel: 'webhook', destinations });
  const urls = (host: string, count: number) =>
    Array.from({ length: count }, (_, n) => `https://${host}/${n}`);
  const busy = await site.send('hosts', urls('busy.example', 200));
  const free = await site.send('hosts', urls('free.example', 200));
  const other = await site.send('hosts', urls('other.example', 20));
  await site.arrived(free, 200);
  await site.arrived(other, 20);
  const before = await site.arrived(busy, 30);
  expect(before.length).toBeLessThan(200);
  expect(mostPerSecond(before)).toBeLessThanOrEqual(2 * 20);
});

test('three processes that share one connection to a prefix never have two requests at the provider', async () => {
  const count = 300;
  const open = { '+31': 0, '+49': 0 };
  const most = { ...open };
  const received = new Set<string>();
  const provider = await startScriptedServer(async (request, response) => {
    const { id, to } = JSON.parse(String(await readBody(request))) as { id: string; to: string };
    const prefix = to.slice(0, 3) as keyof typeof open;
    most[prefix] = Math.max(most[prefix], ++open[prefix]);
    received.add(id);
    await sleep(5);
    open[prefix]--;
    answerJson(response, 200, {});
  });
  onTestFinished(() => provider.stop());
  const destinations = [{ match: '+31', concurrency: 1 }];
  const several = await createSite({ url: `${provider.url}/`, concurrency: 16, destinations });
  onTestFinished(() => several.close());
  const server = await several.start('--processes', '3');
  await until(
    async () => [...(await several.workers()).shards.values()].every((shards) => shards < 343),
    60_000,
  );
  const numbers = (prefix: string) => Array.from({ length: count }, (_, n) => `${prefix}${10_000_000 + n}`);
  // One by one, so that they are on shards of all three.
  await Promise.all(
    [...numbers('+316'), ...numbers('+4915')].map((to) =>
      several.post(server, '/v1/messages', { to, body: 'x', route: 'flood' }),
    ),
  );
  await until(() => received.size === 2 * count, 90_000);
  expect(most['+31']).toBe(1);
  expect(most['+49']).toBeGreaterThan(1);
  await server.stop();
}, 240_000);
