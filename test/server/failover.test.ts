import { afterEach, expect, onTestFinished, test } from 'vitest';
import { startSink } from '../../src/sink/start-sink.ts';
import { temporaryDirectory } from '../embedded/data-directory.ts';
import { eventually } from '../embedded/eventually.ts';
import { startPair } from '../support/start-pair.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';

const key = 'failover-test-administrator-key-0123456789';
const env = { MILLRACE_ADMIN_KEY: key, MILLRACE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') };
const before = 20;
const after = 20;

afterEach(killProcesses);

test('a server that is told of both hosts accepts and delivers through the loss of the primary, by itself', async () => {
  const { primary, standby, url } = await startPair();
  await primary.run(`ALTER SYSTEM SET synchronous_standby_names = '*'`);
  await primary.run('SELECT pg_reload_conf()');
  const sink = await startSink({ port: 0 });
  onTestFinished(() => sink.stop());
  const data = await temporaryDirectory();
  const lines: string[] = [];
  const server = await startProcess(
    ['serve', '--port', '0', '--database', url, '--data', data, '--lease-ms', '2000'],
    env,
    { onLine: (line) => void lines.push(line) },
  );
  expect(lines.join('\n')).toContain(`"host":"127.0.0.1:${primary.port}"`);
  const password = new URL(primary.url).password;
  expect(lines.join('\n')).not.toContain(password);
  const call = (method: string, path: string, body?: unknown, idempotencyKey?: string) =>
    fetch(server.url + path, {
      method,
      headers: {
        ...{ authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const route = { connector: 'http', url: sink.url, allowPrivate: true };
  expect((await call('PUT', '/v1/routes/r', route)).status).toBe(201);

  const message = { to: '+31612345678', route: 'r', body: 'x' };
  const accepted = new Set<string>();
  const send = async (name: string) => {
    await eventually(`${name} is accepted`, async () => {
      const answer = await call('POST', '/v1/messages', message, name);
      if (answer.status === 503 || answer.status === 409) return false;
      const { messages } = (await answer.json()) as { messages: { id: string }[] };
      accepted.add(messages[0]!.id);
      return true;
    });
  };
  for (let n = 0; n < before; n++) await send(`before-${n}`);
  process.kill(primary.pid, 'SIGKILL');
  const promoted = standby.run('SELECT pg_promote()');
  await Promise.all(Array.from({ length: after }, (_, n) => send(`after-${n}`)));
  await promoted;

  expect(accepted.size).toBe(before + after);
  await eventually('all have arrived', () => sink.ledger().distinct === accepted.size);
  const states = await Promise.all(
    [...accepted].map(
      async (id) => ((await (await call('GET', `/v1/messages/${id}`)).json()) as { id: string }).id,
    ),
  );
  expect(states).toEqual([...accepted]);
  const readiness = await (await call('GET', '/readyz')).json();
  expect(readiness).toEqual({ status: 'ready', acknowledged: 'on-primary-only' });
  expect(await server.stop()).toBe(0);
});
