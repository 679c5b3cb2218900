import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DoctorContext, Finding } from '../../src/doctor/check.ts';
import { replicas } from '../../src/doctor/checks/replicas.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

let target: TestDatabase;
let database: Database;

beforeAll(async () => {
  target = await createTestDatabase();
  database = openDatabase({ url: target.url, name: 'doctor test', poolSize: 1 });
});
afterAll(() => database.close());

function look(...replicaUrls: string[]): Promise<Finding[]> {
  return replicas.run({ database, replicaUrls, namedStatements: true } as unknown as DoctorContext);
}

test('no replica is nothing wrong', async () => {
  expect(await look()).toMatchObject([{ severity: 'ok' }]);
});

test('the primary among the replicas is told, and one that does not answer', async () => {
  const found = await look(target.url, 'postgres://nobody@127.0.0.1:1/nothing');
  expect(found).toMatchObject([
    { severity: 'error', summary: expect.stringContaining('is no standby'), mend: expect.any(String) },
    { severity: 'error', summary: expect.stringContaining('127.0.0.1:1 does not answer') },
  ]);
});

test('another database of the same cluster is no replica', async () => {
  const other = await createTestDatabase();
  expect(await look(other.url)).toMatchObject([
    {
      severity: 'error',
      summary: expect.stringContaining('leads to another database'),
      mend: expect.any(String),
    },
  ]);
});
