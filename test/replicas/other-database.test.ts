import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { openDatabase } from '../../src/store/database.ts';
import { openReplicas } from '../../src/store/replicas/open-replicas.ts';
import { createTestDatabase } from '../support/postgres.ts';

test('a replica URL that leads to another database of the cluster ends the start: it may be another installation', async () => {
  const [own, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const primary = openDatabase({ url: own.url, name: 'test', poolSize: 1 });
  onTestFinished(() => primary.close());
  const opening = openReplicas({
    ...{ primary, primaryUrl: own.url, replicaUrls: [other.url], clock: systemClock },
    ...{ poolSize: 1, namedStatements: true, lagMaxMs: 10_000, onChange: () => {} },
  });
  await expect(opening).rejects.toThrow(/^replicaUrls: \S+ leads to another database of the cluster/);
});
