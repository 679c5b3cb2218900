import { afterEach, expect, onTestFinished } from 'vitest';
import { eventually } from '../embedded/eventually.ts';
import { needs } from '../support/needs.ts';
import { startPgBouncer } from '../support/start-pgbouncer.ts';
import { killProcesses, type MillraceProcess } from '../support/start-process.ts';
import { createSite, type Site } from './several.ts';

const needsPooler = needs('pgbouncer');
const flooded = 10_000;
const singles = 40;

afterEach(killProcesses);

needsPooler(
  'a server behind PgBouncer in transaction mode accepts, delivers and exports, and goes on when the pooler was killed',
  async () => {
    const site = await createSite({ ratePerSecond: 3_000 });
    onTestFinished(() => site.close());
    const pooler = await startPgBouncer(site.databaseUrl);
    onTestFinished(() => pooler.stop());
    const server = await site.start('--database', pooler.url, '--named-statements', 'false');
    const accepted = new Set<string>();
    const send = async (name: string) => void accepted.add(await accept(site, server, name));

    await site.flood(server, flooded);
    await Promise.all(Array.from({ length: singles }, (_, n) => send(`before-${n}`)));
    await eventually('some are sent', async () => (await site.ledger()).distinct > flooded / 5);
    await Promise.all([pooler.restart(), ...Array.from({ length: singles }, (_, n) => send(`amid-${n}`))]);

    const all = flooded + 2 * singles;
    expect(accepted.size).toBe(2 * singles);
    await eventually('all have arrived', async () => (await site.ledger()).distinct === all);
    const rows = () => site.query<{ count: number }>('SELECT sum(count)::int AS count FROM chunk');
    expect(await rows()).toEqual([{ count: all }]);
    const batches = await site.query<{ id: string }>('SELECT id::text FROM batch LIMIT 1');
    const exported = await fetch(`${server.url}/v1/batches/${batches[0]!.id}/export`, headersOf(site));
    const lines = (await exported.text()).trimEnd().split('\n');
    expect(lines.filter((line) => 'to' in JSON.parse(line))).toHaveLength(1_000);
    expect(await server.stop()).toBe(0);
  },
);

/** Posts a message under a key of its own until it is accepted; its id. */
async function accept(site: Site, server: MillraceProcess, name: string): Promise<string> {
  const body = JSON.stringify({ to: '+31612345678', body: 'x', route: 'flood' });
  let id: string | undefined;
  await eventually(`${name} is accepted`, async () => {
    const headers = { ...headersOf(site).headers, 'idempotency-key': name };
    const answer = await fetch(`${server.url}/v1/messages`, { method: 'POST', headers, body });
    if (answer.status === 503 || answer.status === 409) return false;
    expect(answer.status).toBe(202);
    id = ((await answer.json()) as { messages: { id: string }[] }).messages[0]!.id;
    return true;
  });
  return id!;
}

function headersOf({ key }: Site): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } };
}
