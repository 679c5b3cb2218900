import { afterEach, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { killProcesses } from '../support/start-process.ts';
import { createSite, recorded, type Site, shardsAll, shared, waitMs } from './several.ts';

let site: Site | undefined;

afterEach(async () => {
  await site?.close();
  site = undefined;
  killProcesses();
});

test('servers on one database share the shards evenly, and one that joins takes only its part', async () => {
  site = await createSite();
  const first = await site.start();
  await until(async () => (await site!.workers()).shards.get(first.pid) === shardsAll, waitMs);
  const { claims } = await site.workers();
  const second = await site.start('--roles', 'deliver');
  // It has no API, and tells supervisors and monitoring how it is all the same.
  for (const [path, status] of [
    ['livez', 200],
    ['readyz', 200],
    ['metrics', 200],
    ['v1/batches', 404],
  ] as const) {
    expect([path, (await fetch(`${second.url}/${path}`)).status]).toEqual([path, status]);
  }
  await shared(site, [first.pid, second.pid]);
  expect((await site.workers()).claims).toBe(claims + shardsAll / 2);
  expect(await second.stop()).toBe(0);
  await until(async () => (await site!.workers()).shards.get(first.pid) === shardsAll, waitMs);
  expect((await site.workers()).claims).toBe(claims + shardsAll);
  await first.stop();
});

/** How long each of these messages, by the time when it was accepted, waited until it arrived: the longest. */
async function longestWaitMs(at: Site, accepted: ReadonlyMap<string, number>): Promise<number> {
  const page = await (await fetch(`${at.sink.url}/arrivals?limit=10000`)).json();
  const { data } = page as { data: { id: string; at: number }[] };
  const waits = data.flatMap(({ id, at }) => (accepted.has(id) ? [at - accepted.get(id)!] : []));
  expect(waits).toHaveLength(accepted.size);
  return Math.max(...waits);
}

test('a planned stop hands over without a pause: no message waits for a lease, as they do after a crash', async () => {
  site = await createSite();
  const leaseMs = 6_000;
  const [first, second] = [
    await site.start('--lease-ms', `${leaseMs}`),
    await site.start('--lease-ms', `${leaseMs}`),
  ];
  await shared(site, [first.pid, second.pid]);
  const accepted = new Map<string, number>();
  /** Single messages go to shards all over; half of them are the other server's. */
  const post = async (to: Map<string, number>) => {
    const message = { to: '+31612345678', route: 'flood', body: 'x' };
    const answer = await site!.post(second, '/v1/messages', message);
    const { messages } = (await answer.json()) as { messages: { id: string }[] };
    to.set(messages[0]!.id, performance.timeOrigin + performance.now());
  };
  let stopping: Promise<number | null> | undefined;
  let stopped = false;
  for (let after = 0; after < 60; ) {
    await post(accepted);
    if (accepted.size === 60) {
      stopping = first.stop().finally(() => {
        stopped = true;
      });
    }
    if (stopped) after++;
  }
  expect(await stopping).toBe(0);
  await until(async () => (await site!.ledger()).distinct === accepted.size, waitMs);
  const plannedMs = await longestWaitMs(site, accepted);
  expect((await site.ledger()).duplicates).toBe(0);

  // What a handover takes that has to wait for the lease is measured beside it.
  const third = await site.start('--lease-ms', `${leaseMs}`);
  await shared(site, [second.pid, third.pid]);
  const ofCrash = new Map<string, number>();
  let dead = false;
  const killed = third.kill().finally(() => {
    dead = true;
  });
  // From the moment of the kill: on a machine that stands still meanwhile, the lease may be over afterwards.
  while (ofCrash.size < 60 || !dead) await post(ofCrash);
  await killed;
  await until(async () => (await site!.ledger()).distinct === accepted.size + ofCrash.size, waitMs);
  const crashMs = await longestWaitMs(site, ofCrash);
  expect(crashMs / leaseMs).toBeGreaterThan(0.5);
  expect(crashMs / leaseMs).toBeLessThan(1.5);
  expect(plannedMs / crashMs).toBeLessThan(0.5);
  await second.stop();
}, 180_000);

test('a server with several processes starts a killed one again, counts on, and its processes end with it', async () => {
  const sentFigure = 'millrace_outcomes_total{route="flood",state="sent"}';
  site = await createSite({ ratePerSecond: 1_000 });
  const server = await site.start('--processes', '3', '--lease-ms', '60000');
  const figure = (name: string) => site!.figure(server, name);
  const pids = async () =>
    (await site!.query<{ pid: number }>('SELECT pid FROM worker')).map(({ pid }) => pid);
  /** Far sooner than the lease of a minute runs out: its server saw it end. */
  const replaced = async (victim: number) => {
    await until(async () => {
      const now = await pids();
      return now.length === 3 && !now.includes(victim);
    }, waitMs);
    await shared(site!, await pids());
  };
  const started = await pids();
  expect(started).toHaveLength(3);
  await shared(site, started);
  const [stopped, killed] = started.filter((pid) => pid !== server.pid) as [number, number];

  // One that is asked to end tells all that it did, and nothing is counted twice of the one after it.
  await site.flood(server, 2_000);
  await until(async () => (await site!.ledger()).distinct > 500, waitMs);
  process.kill(stopped, 'SIGTERM');
  await replaced(stopped);
  await until(async () => (await recorded(site!)) === 2_000, waitMs);
  await until(async () => (await figure(sentFigure)) >= 2_000, waitMs);
  expect(await figure(sentFigure)).toBe(2_000);

  await site.flood(server, 3_000);
  await until(async () => (await site!.ledger()).distinct > 2_750, waitMs);
  process.kill(killed, 'SIGKILL');
  await replaced(killed);
  await until(async () => (await recorded(site!)) === 5_000, waitMs);
  const { distinct, received } = await site.ledger();
  expect(distinct).toBe(5_000);
  // Every process tells once a second what it has and did.
  await until(async () => (await figure('millrace_delivery_workers')) === 3, waitMs);
  await until(async () => (await figure('millrace_owned_shards')) === shardsAll, waitMs);
  // What it had not told when it was killed is lost to the figure; nothing is counted that was not handed over.
  const sent = await figure(sentFigure);
  expect(sent).toBeGreaterThan(2_000);
  expect(sent).toBeLessThanOrEqual(received);

  const children = (await pids()).filter((pid) => pid !== server.pid);
  await server.kill();
  await until(() => children.every(hasEnded), waitMs);
  // In order, each handing its shards over: only the killed one's own lease is left to run out.
  expect(await pids()).toEqual([server.pid]);
}, 240_000);

function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
