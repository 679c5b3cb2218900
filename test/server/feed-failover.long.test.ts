import { afterEach, expect, onTestFinished, test } from 'vitest';
import { startSink } from '../../src/sink/start-sink.ts';
import { temporaryDirectory } from '../embedded/data-directory.ts';
import { eventually } from '../embedded/eventually.ts';
import { startPair } from '../support/start-pair.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';

const key = 'feed-failover-test-administrator-key-0123456';
const env = { MILLRACE_ADMIN_KEY: key, MILLRACE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') };
const lost = 1_000;

afterEach(killProcesses);

test('a place in the change feed from a primary that is lost with its last transactions skips nothing on the next one', async () => {
  const { primary, standby, url } = await startPair();
  const sink = await startSink({ port: 0 });
  onTestFinished(() => sink.stop());
  const data = await temporaryDirectory();
  const server = await startProcess(
    ['serve', '--port', '0', '--database', url, '--data', data, '--lease-ms', '2000'],
    env,
  );
  const call = (method: string, path: string, body?: unknown) =>
    fetch(server.url + path, {
      method,
      headers: {
        ...{ authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(body !== undefined && { 'idempotency-key': JSON.stringify(body) }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const send = async (ref: string) => {
    let id = '';
    await eventually(`${ref} is accepted`, async () => {
      const answer = await call('POST', '/v1/messages', { to: '+31612345678', route: 'r', body: 'x', ref });
      if (answer.status !== 202) return false;
      id = ((await answer.json()) as { messages: { id: string }[] }).messages[0]!.id;
      return true;
    });
    return id;
  };
  const read = async (after: string) => {
    const answer = await call('GET', `/v1/events?after=${after}`);
    if (answer.status === 503) return undefined;
    expect(answer.status).toBe(200);
    return (await answer.json()) as { data: { messageId?: string }[]; next: string };
  };
  const route = { connector: 'http', url: sink.url, allowPrivate: true };
  expect((await call('PUT', '/v1/routes/r', route)).status).toBe(201);

  await standby.run(`ALTER SYSTEM SET primary_conninfo = ''`);
  await standby.run('SELECT pg_reload_conf()');
  await eventually('the standby follows no more', async () => {
    return (await primary.run('SELECT count(*) FROM pg_stat_replication')) === '0';
  });
  await primary.run(
    `DO $$ BEGIN FOR n IN 1..${lost} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`,
  );
  const burnt = Number(await primary.run('SELECT pg_current_xact_id()::text'));
  let cursor = '0';
  await eventually('the feed has passed what will be lost', async () => {
    const page = await read(cursor);
    cursor = page!.next;
    return Number(/^\d+/.exec(cursor)![0]) > burnt;
  });

  process.kill(primary.pid, 'SIGKILL');
  await standby.run('SELECT pg_promote()');
  const id = await send('after');
  expect(Number(await standby.run('SELECT pg_current_xact_id()::text'))).toBeLessThan(burnt);
  await eventually('its change is read from the place of before', async () => {
    const page = await read(cursor);
    if (page === undefined) return false;
    cursor = page.next;
    return page.data.some(({ messageId }) => messageId === id);
  });
  expect(await server.stop()).toBe(0);
});
