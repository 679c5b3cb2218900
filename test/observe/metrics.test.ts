import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { createSite, type Site } from '../server/several.ts';
import { findProgram } from '../support/find-program.ts';
import { needs } from '../support/needs.ts';
import { killProcesses, type MillraceProcess } from '../support/start-process.ts';

let site: Site;
let server: MillraceProcess;

beforeAll(async () => {
  site = await createSite();
  server = await site.start();
  // Port 1 is nobody's: tcpmux, which no system runs any more.
  const down = { connector: 'http', url: 'http://127.0.0.1:1/', allowPrivate: true, ratePerSecond: 50 };
  await site.put(server, '/v1/routes/down', down);
  await site.put(server, '/v1/routes/held', down);
  await site.post(server, '/v1/routes/held/pause', {});
  await site.flood(server, 2_000);
  for (const route of ['flood', 'down', 'held']) {
    const message = { to: '+31612345678', body: 'PrivateBody', route };
    await site.post(server, '/v1/messages', Array(30).fill(message));
  }
  await until(async () => (await figure('millrace_outcomes_total{route="flood",state="sent"}')) === 2_030);
  await until(async () => (await figure('millrace_route_breaker_workers{route="down",state="open"}')) > 0);
});

afterAll(async () => {
  await server?.stop();
  await site?.close();
  killProcesses();
});

const figure = (name: string) => site.figure(server, name);
const page = async () => await (await fetch(`${server.url}/metrics`)).text();

needs('promtool')('the figures are as Prometheus wants them', async () => {
  const check = spawnSync(findProgram('promtool')!, ['check', 'metrics'], {
    input: await page(),
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect([check.status, check.stdout + check.stderr]).toEqual([0, '']);
  const bad = spawnSync(findProgram('promtool')!, ['check', 'metrics'], {
    input: '# TYPE millrace_bad counter\nmillrace_bad 1\n',
    encoding: 'utf8',
  });
  expect(bad.status).not.toBe(0);
});

test('what was accepted, tried and recorded is told by route, errors by their code', async () => {
  expect(await figure('millrace_messages_accepted_total{route="flood",priority="bulk"}')).toBe(2_000);
  expect(await figure('millrace_messages_accepted_total{route="down",priority="interactive"}')).toBe(30);
  expect(await figure('millrace_messages_attempted_total{route="flood",answer="sent"}')).toBe(2_030);
  const refused = '{route="down",answer="retry",code="connection_refused"}';
  expect(await figure(`millrace_attempt_errors_total${refused}`)).toBeGreaterThan(0);
  expect(await figure('millrace_outcomes_total{route="down",state="retrying"}')).toBeGreaterThan(0);
  expect(await figure('millrace_first_attempt_seconds_count{priority="bulk"}')).toBe(2_000);
  expect(await figure('millrace_first_attempt_seconds_bucket{le="+Inf",priority="bulk"}')).toBe(2_000);
  const waited = (await figure('millrace_first_attempt_seconds_sum{priority="bulk"}')) / 2_000;
  expect(waited).toBeGreaterThan(0);
  expect(waited).toBeLessThan(60);
});

test('what the database looks like is told: the backlog and its age, owners, transactions, partitions', async () => {
  await until(
    async () => (await figure('millrace_backlog_messages{route="down",priority="interactive"}')) === 30,
    30_000,
  );
  await until(
    async () => (await figure('millrace_backlog_oldest_seconds{route="down",priority="interactive"}')) > 0,
    30_000,
  );
  // Nobody is to be woken for what somebody has paused.
  expect(await figure('millrace_backlog_messages{route="held",priority="interactive"}')).toBe(30);
  expect(await figure('millrace_backlog_oldest_seconds{route="held",priority="interactive"}')).toBe(0);
  expect(await figure('millrace_route_paused{route="held"}')).toBe(1);
  expect(await figure('millrace_route_paused{route="down"}')).toBe(0);
  const text = await page();
  expect(text).toMatch(/^millrace_database_up 1$/m);
  expect(text).toMatch(/^millrace_shards_without_owner 0$/m);
  expect(text).toMatch(/^millrace_oldest_transaction_seconds \d/m);
  expect(text).toMatch(/^millrace_partitions_ahead 7$/m);
  expect(text).toMatch(/^millrace_data_disk_free_bytes [1-9]/m);
  expect(text).toMatch(/^millrace_database_connections_max\{pool="figures"\} 1$/m);
  expect(text).toMatch(/^millrace_database_connections_max\{pool="delivery"\} 3$/m);
  expect(text).toMatch(/^millrace_route_pace_messages_per_second\{route="down"\} /m);
});

test('alerts and dashboard look at nothing that the server does not tell', async () => {
  const told = new Set([...(await page()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(namesOf));
  for (const file of ['alerts.yml', 'grafana-dashboard.json']) {
    const text = await readFile(new URL(`../../deploy/observe/${file}`, import.meta.url), 'utf8');
    const named = new Set(text.match(/\b(millrace|nodejs|process)_[a-z0-9_]+/g));
    expect(named.size).toBeGreaterThan(10);
    expect([...named].filter((name) => !told.has(name))).toEqual([]);
  }
});

function namesOf([, name, type]: RegExpExecArray): string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name!];
}

test('no figure tells a recipient, a body or an account', async () => {
  const text = await page();
  for (const secret of ['31612345678', 'PrivateBody', site.key, 'default"'])
    expect(text).not.toContain(secret);
});
