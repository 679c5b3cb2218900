import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import type { DoctorContext, Finding } from '../../src/doctor/check.ts';
import { replication } from '../../src/doctor/checks/replication.ts';
import { writable } from '../../src/doctor/checks/writable.ts';
import { openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { startApi } from '../api/start-api.ts';
import type { PairedServer } from '../support/paired-server.ts';
import { startPair } from '../support/start-pair.ts';

test('doctor and /readyz tell what acknowledged means, and that nothing can be while the standby is away', async () => {
  const { primary, standby } = await startPair();
  await migrate({ connectionString: primary.url });
  const api = await startApi({ databaseUrl: primary.url });
  onTestFinished(() => api.stop());
  const ready = async () => (await api.call('GET', '/readyz', { key: null })).json;
  expect(await ready()).toEqual({ status: 'ready', acknowledged: 'on-primary-only' });
  expect(await look(primary.url)).toMatchObject({
    severity: 'info',
    summary: expect.stringContaining('1 standby connected'),
    mend: expect.stringContaining('ALTER SYSTEM'),
  });
  await connectAs(primary.url, 'Patroni');
  expect((await look(primary.url)).mend).toMatch(/synchronous_mode_strict=true$/);

  await waitForStandby(primary);
  await expect.poll(ready).toEqual({ status: 'ready', acknowledged: 'replicated' });
  expect(await look(primary.url)).toMatchObject({
    severity: 'ok',
    summary: expect.stringContaining('replicated: standby in sync'),
  });
  await setCommit(primary, 'remote_write');
  await expect.poll(ready).toEqual({ status: 'ready', acknowledged: 'replicated-in-memory' });
  expect(await look(primary.url)).toMatchObject({
    severity: 'warning',
    summary: expect.stringContaining("in the standby's memory"),
    mend: expect.stringContaining('synchronous_commit = on'),
  });
  await setCommit(primary, 'on');
  // Who may not see the standby does not take it for one that is away.
  const blind = await blindUrl(primary);
  expect(await look(blind)).toMatchObject({
    severity: 'info',
    summary: expect.stringContaining('cannot be seen'),
    mend: 'As a superuser: GRANT pg_monitor TO "b lind";',
  });

  expect(await look(standby.url)).toMatchObject({
    severity: 'info',
    summary: expect.stringContaining('is a standby'),
  });
  expect(await look(standby.url, writable)).toMatchObject({
    severity: 'error',
    summary: expect.stringContaining('is a standby'),
    mend: expect.stringContaining('--database'),
  });
  expect(await look(primary.url, writable)).toMatchObject({ severity: 'ok' });
  await standby.stop();
  await expect
    .poll(ready)
    .toMatchObject({ status: 503, detail: expect.stringContaining('no standby is connected') });
  expect(await look(primary.url)).toMatchObject({
    severity: 'error',
    mend: expect.stringContaining('synchronous_mode_strict=false'),
  });
});

async function look(url: string, check = replication): Promise<Finding> {
  const database = openDatabase({ url, poolSize: 1, name: 'doctor test' });
  try {
    const [finding, ...others] = await check.run({ database } as unknown as DoctorContext);
    expect(others).toEqual([]);
    return finding!;
  } finally {
    await database.close();
  }
}

async function setCommit(primary: PairedServer, value: string): Promise<void> {
  await primary.run(`ALTER SYSTEM SET synchronous_commit = ${value}`);
  await primary.run('SELECT pg_reload_conf()');
}

async function waitForStandby(primary: PairedServer): Promise<void> {
  await primary.run(`ALTER SYSTEM SET synchronous_standby_names = '*'`);
  await primary.run('SELECT pg_reload_conf()');
}

/** The same server as a role that may not see what others do. */
async function blindUrl(primary: PairedServer): Promise<string> {
  const url = new URL(primary.url);
  await primary.run(`CREATE ROLE "b lind" LOGIN PASSWORD '${url.password}'`);
  url.username = 'b lind';
  return url.href;
}

async function connectAs(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: name });
  await client.connect();
  onTestFinished(() => client.end());
}
