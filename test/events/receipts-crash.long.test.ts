import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { createSite, type Site } from '../server/several.ts';
import { killProcesses, type MillraceProcess, startProcess } from '../support/start-process.ts';

const count = 2_000;
const books = { receipts: { told: 0, delivered: 0, failed: 0, repeated: 0, waiting: 0 } };

let site: Site;
let provider: MillraceProcess;

beforeAll(async () => {
  site = await createSite();
  provider = await startProcess([
    ...['sink', '--port', '0', '--receipts-fail-rate', '0.1', '--receipts-repeat-rate', '0.1'],
    ...['--receipts-batch-max', '100'],
  ]);
});

afterAll(async () => {
  await provider.stop();
  killProcesses();
  await site.close();
});

async function routeTo(server: MillraceProcess, url: string): Promise<string> {
  const route = { connector: 'http', url, allowPrivate: true, batch: { max: 100 } };
  const made = await site.put(server, '/v1/routes/told', route);
  return ((await made.json()) as { receiptsUrl: string }).receiptsUrl;
}

async function sinkBooks(): Promise<typeof books> {
  return (await (await fetch(`${provider.url}/ledger`)).json()) as typeof books;
}

test('a provider that reports on a batch while it is delivered is matched to the last receipt', async () => {
  const server = await site.start();
  const url = await routeTo(server, `${provider.url}/`);
  await fetch(`${provider.url}/receipts`, { method: 'PUT', body: JSON.stringify({ url }) });
  const batch = { route: 'told', start: 'now' };
  const { id } = (await (await site.post(server, '/v1/batches', batch)).json()) as { id: string };
  const messages = Array.from({ length: count }, (_, n) => ({ to: `+3161${1_000_000 + n}`, body: 'x' }));
  expect((await site.post(server, `/v1/batches/${id}/messages?close=true`, messages)).status).toBe(200);
  const counts = async () => (await (await site.get(server, `/v1/batches/${id}`)).json()).counts;
  await until(async () => {
    const { delivered, failed } = await counts();
    return delivered + failed === count;
  });
  await until(async () => (await sinkBooks()).receipts.waiting === 0);
  const { delivered, failed, repeated, told } = (await sinkBooks()).receipts;
  expect(delivered + failed + repeated).toBe(told);
  expect(await counts()).toMatchObject({ accepted: count, sent: 0, delivered, failed });
  const figure = (result: string) => site.figure(server, `millrace_receipts_total{result="${result}"}`);
  await until(async () => (await figure('matched')) === count && (await figure('repeated')) === repeated);
  expect(await figure('stored')).toBe(told);
  expect(await figure('unknown')).toBe(0);
  await server.stop();
});

test('what was answered is not lost with a server that is killed before it is matched', async () => {
  // It has not got the role that matches.
  const server = await site.start('--roles', 'api,deliver');
  const url = await routeTo(server, `${site.sink.url}/`);
  const messages = Array.from({ length: 50 }, (_, n) => ({
    to: `+3161234${1_000 + n}`,
    body: 'x',
    route: 'told',
  }));
  const sent = (await (await site.post(server, '/v1/messages', messages)).json()) as {
    messages: { id: string }[];
  };
  const ids = sent.messages.map(({ id }) => id);
  const stateOf = async (at: MillraceProcess, id: string) =>
    (await (await site.get(at, `/v1/messages/${id}`)).json()).state;
  await until(async () => (await stateOf(server, ids.at(-1)!)) === 'sent');
  const answers = await Promise.all(
    ids.map((id) => fetch(url, { method: 'POST', body: JSON.stringify({ id, status: 'delivered' }) })),
  );
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  await server.kill();
  const other = await site.start();
  for (const id of ids) await until(async () => (await stateOf(other, id)) === 'delivered');
  expect(await site.query('SELECT FROM receipt')).toHaveLength(0);
  await other.stop();
});
