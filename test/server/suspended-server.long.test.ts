import { afterEach, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { killProcesses, type MillraceProcess } from '../support/start-process.ts';
import { type HeldProvider, providerCertificate, startHeldProvider } from './held-provider.ts';
import { createSite, type Site } from './several.ts';

const shardsAll = 1_024;
const waitMs = 60_000;
/** Half of them are each server's: the handshakes of both are under way. */
const connections = 16;
/** Enough that each server has one for each of its connections. */
const messages = 80;
const trusting = { env: { NODE_EXTRA_CA_CERTS: providerCertificate } };
const lease = ['--lease-ms', '2500'];
let site: Site | undefined;
let provider: HeldProvider | undefined;

afterEach(async () => {
  killProcesses();
  await provider?.stop();
  await site?.close();
  site = undefined;
  provider = undefined;
});

test.each(['resend', 'hold'] as const)(
  'a server that wakes past its lease sends nothing whose connection was under way: %s',
  async (onUncertain) => {
    provider = await startHeldProvider();
    site = await createSite({ url: provider.url, concurrency: connections, onUncertain });
    const [first, second] = [
      await site.startWith(trusting, ...lease),
      await site.startWith(trusting, ...lease),
    ];
    await until(async () => {
      const { shards } = await site!.workers();
      return shards.get(first.pid) === shardsAll / 2 && shards.get(second.pid) === shardsAll / 2;
    }, waitMs);
    const ids: string[] = [];
    while (ids.length < messages) {
      const answer = await site.post(second, '/v1/messages', {
        to: '+31612345678',
        route: 'flood',
        body: 'x',
      });
      ids.push(((await answer.json()) as { messages: { id: string }[] }).messages[0]!.id);
    }
    await until(() => provider!.silent() === connections, waitMs);
    first.child.kill('SIGSTOP');
    // What the suspended server is answered waits in its sockets for it to wake.
    provider.answerHandshakes();
    await until(async () => (await site!.workers()).shards.get(second.pid) === shardsAll, waitMs);
    // On `hold`, what the suspended server had marked is uncertain by then.
    const replayed = await sendAll(site, second, ids);
    expect(replayed > 0).toBe(onUncertain === 'hold');

    // Every message is sent and recorded: whatever comes now comes from the one that wakes.
    const received = provider.received.length;
    expect(provider.silent()).toBeGreaterThan(0);
    first.child.kill('SIGCONT');
    // Each of its connections ends, or carries a request after all.
    await until(() => provider!.silent() === 0, waitMs);
    await until(async () => (await site!.workers()).shards.get(first.pid) === shardsAll / 2, waitMs);
    expect(provider.received.slice(received)).toEqual([]);
    expect(await Promise.all([first.stop(), second.stop()])).toEqual([0, 0]);
  },
  180_000,
);

/** Has all sent. What is uncertain is replayed, as an operator does; the answer is how many that were. */
async function sendAll(at: Site, server: MillraceProcess, ids: readonly string[]): Promise<number> {
  const headers = { authorization: `Bearer ${at.key}` };
  const isIn = async (id: string, ...states: string[]) => {
    const answer = await fetch(`${server.url}/v1/messages/${id}`, { headers });
    return states.includes(((await answer.json()) as { state: string }).state);
  };
  for (const id of ids) await until(() => isIn(id, 'sent', 'uncertain'), waitMs);
  let replayed = 0;
  for (const id of ids) {
    if (await isIn(id, 'sent')) continue;
    expect((await at.post(server, `/v1/messages/${id}/replay`, {})).status).toBe(200);
    replayed++;
  }
  for (const id of ids) await until(() => isIn(id, 'sent'), waitMs);
  return replayed;
}
