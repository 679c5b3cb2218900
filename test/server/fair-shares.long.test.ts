import { afterEach, expect, test } from 'vitest';
import { chunkIdOf } from '../../src/message/id.ts';
import { until } from '../delivery/mill.ts';
import { killProcesses, type MillraceProcess } from '../support/start-process.ts';
import { createSite, type Site } from './several.ts';

const waitMs = 90_000;
const ratePerSecond = 300;
/** Batches of an account, and their messages: each is a chunk on a shard of its own, so that every process has work of both. */
const batches = 24;
const messagesMax = 100;
/** What is counted at once: two seconds of the route. */
const window = 600;
/** Of their proportion: lanes take turns by rounds, and processes each for themselves. */
const tolerance = 0.25;

let site: Site | undefined;

afterEach(async () => {
  await site?.close();
  site = undefined;
  killProcesses();
});

/** A flood through the API by an account of its own, which it answers with its chunks. */
async function flood(server: MillraceProcess, account: { name: string; weight: number }) {
  const { id } = (await (await site!.post(server, '/v1/accounts', account)).json()) as { id: string };
  const scopes = ['send', 'read'];
  const made = await site!.post(server, '/v1/keys', { accountId: id, scopes });
  const { key } = (await made.json()) as { key: string };
  for (let n = 0; n < batches; n++) {
    const answer = await fetch(`${server.url}/v1/batches?route=flood`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
      body: '{"to":"+31612345678","body":"x"}\n'.repeat(messagesMax),
    });
    expect(answer.status).toBe(201);
  }
  const rows = await site!.query<{ id: string }>('SELECT id FROM chunk WHERE account_id = $1', [id]);
  return { id, chunks: new Set(rows.map((row) => row.id)) };
}

/** How many times as many of the heavy account's messages arrived as of the light one's, of `window` from a place on. */
async function proportion(from: number, heavy: ReadonlySet<string>): Promise<number> {
  const read = async () => {
    const page = await (await fetch(`${site!.sink.url}/arrivals?after=${from}&limit=${window}`)).json();
    return (page as { data: { id: string }[] }).data;
  };
  await until(async () => (await read()).length === window, waitMs);
  const ofHeavy = (await read()).filter(({ id }) => heavy.has(chunkIdOf(id))).length;
  return ofHeavy / (window - ofHeavy);
}

test('accounts of weights 1 and 3 that flood one route have it as 1 to 3, over two processes, and evenly when the weights are', async () => {
  site = await createSite({ ratePerSecond });
  const server = await site.start('--processes', '2');
  expect((await site.post(server, '/v1/routes/flood/pause', {})).status).toBe(200);
  const light = await flood(server, { name: 'Light', weight: 1 });
  const heavy = await flood(server, { name: 'Heavy', weight: 3 });
  expect((await site.post(server, '/v1/routes/flood/resume', {})).status).toBe(200);

  // The first second fills what is in flight.
  const weighted = await proportion(ratePerSecond, heavy.chunks);
  expect(weighted).toBeGreaterThan(3 * (1 - tolerance));
  expect(weighted).toBeLessThan(3 * (1 + tolerance));

  expect((await site.patch(server, `/v1/accounts/${light.id}`, { weight: 3 })).status).toBe(200);
  const { received } = await site.ledger();
  // A second later it holds in every process.
  const even = await proportion(received + ratePerSecond, heavy.chunks);
  expect(even).toBeGreaterThan(1 - tolerance);
  expect(even).toBeLessThan(1 + tolerance);
  await server.stop();
}, 180_000);
