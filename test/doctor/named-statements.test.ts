import { expect, onTestFinished, test } from 'vitest';
import type { DoctorContext, Finding } from '../../src/doctor/check.ts';
import { namedStatements } from '../../src/doctor/checks/named-statements.ts';
import { needs } from '../support/needs.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startPgBouncer } from '../support/start-pgbouncer.ts';

async function look(databaseUrl: string, wanted: boolean): Promise<Finding> {
  const [finding] = await namedStatements.run({ databaseUrl, namedStatements: wanted } as DoctorContext);
  return finding!;
}

test('a database that is connected to as it is keeps what is prepared', async () => {
  const { url } = await createTestDatabase({ empty: true });
  expect(await look(url, true)).toMatchObject({ severity: 'ok' });
});

needs('pgbouncer')('a pooler that forgets prepared statements is told, unless none are used', async () => {
  const { url } = await createTestDatabase({ empty: true });
  const pooler = await startPgBouncer(url);
  onTestFinished(() => pooler.stop());
  expect(await look(pooler.url, true)).toMatchObject({
    severity: 'error',
    mend: expect.stringContaining('MILLRACE_NAMED_STATEMENTS=false'),
  });
  expect(await look(pooler.url, false)).toMatchObject({ severity: 'ok' });
});
