import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import tls from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { examine } from '../../src/doctor/examine.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { openDatabase } from '../../src/store/database.ts';
import { temporaryDirectory } from '../embedded/data-directory.ts';
import { runCli } from '../support/run-cli.ts';
import { selfSigned } from '../support/self-signed.ts';

const absent = '/nowhere/ca.pem';

/** Answers the question for TLS as a PostgreSQL that has it does, or one that has not; its URL. */
async function startServer({ hasTls }: { hasTls: boolean }): Promise<string> {
  const { privateKey, certificate } = selfSigned('localhost');
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(hasTls ? 'S' : 'N');
      if (hasTls) new tls.TLSSocket(socket, { isServer: true, key, cert: certificate }).on('error', () => {});
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/none`;
}

async function mendOf(url: string): Promise<string | undefined> {
  const database = openDatabase({ url, poolSize: 1, name: 'doctor test' });
  const context = { leaseMs: 1_000, retentionDays: 56, connectionsNeeded: 13, oldTransactionMs: 50 };
  const { findings } = await examine({
    ...{
      ...context,
      database,
      clock: systemClock,
      dataDir: tmpdir(),
      replicaUrls: [],
      namedStatements: true,
    },
    databaseUrl: url,
    signal: new AbortController().signal,
  });
  await database.close();
  expect(findings).toMatchObject([{ check: 'connection', severity: 'error' }]);
  return findings[0]!.mend;
}

test('doctor tells what keeps it from a database: nobody listens, a certificate, a file, no TLS', async () => {
  expect(await mendOf('postgres://nobody@127.0.0.1:1/none')).toMatch(/Is PostgreSQL running there/);
  const url = await startServer({ hasTls: true });
  expect(await mendOf(`${url}?sslmode=verify-full`)).toMatch(/not trusted here/);
  expect(await mendOf(`${url}?sslmode=verify-full&sslrootcert=${absent}`)).toMatch(/must be on this machine/);
  const several = url.replace('/none', `,127.0.0.1:1/none?sslmode=verify-full&sslrootcert=${absent}`);
  expect(await mendOf(several)).toMatch(/must be on this machine/);
  expect(await mendOf(`${await startServer({ hasTls: false })}?sslmode=verify-full`)).toMatch(/Turn ssl on/);
});

test.each([
  ['verify-full', /certificate.*\n.*not trusted here/],
  [`verify-full&sslrootcert=${absent}`, /no such file or directory.*ca\.pem.*\n.*must be on this machine/],
])('a server ends at once, and says why, where the set-up of TLS is wrong: %s', async (mode, words) => {
  const url = `${await startServer({ hasTls: true })}?sslmode=${mode}`;
  const data = await temporaryDirectory();
  const args = ['--port', '0', '--data', data, '--database', url, '--log-level', 'silent'];
  const { status, err } = await runCli(['serve', ...args]);
  expect([status, err]).toEqual([1, expect.stringMatching(words)]);
});
