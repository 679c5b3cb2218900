import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { suppressionHash } from '../../src/message/suppression.ts';
import { suppressionDigest } from '../../src/store/delivery/read-suppressions.ts';
import { modelHarness, postgresHarness, type StoreHarness } from './store-harness.ts';

const [one, other] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'];
const hashes = (accountId: number, from: number, count: number) =>
  Array.from({ length: count }, (_, n) => suppressionHash(accountId, `+3161234${1_000 + from + n}`)!);

/** What delivery relies on where recipients are suppressed. */
describe.each([
  ['PostgreSQL', postgresHarness],
  ['the model', modelHarness],
])('the suppressions on %s', (_, open) => {
  let harness: StoreHarness;

  beforeEach(async () => {
    harness = await open();
  });

  afterEach(async () => {
    await harness.close();
  });

  test('a list is there from its first recipient on, and the digest tells every change', async () => {
    const { store } = harness;
    const digests = [await store.readSuppressionDigest()];
    expect(await store.readSuppressionLists()).toEqual([]);
    for (const added of [
      { accountId: 1, channel: 'sms' as const, hashes: hashes(1, 0, 2) },
      { accountId: 1, channel: 'sms' as const, hashes: hashes(1, 2, 1) },
      { accountId: 2, channel: 'email' as const, hashes: [suppressionHash(2, 'ada@example.com')!] },
    ]) {
      await harness.suppress(added);
      digests.push(await store.readSuppressionDigest());
    }
    expect(new Set(digests).size).toBe(4);
    const lists = await store.readSuppressionLists();
    expect(suppressionDigest(lists)).toBe(digests.at(-1));
    expect(lists.sort((a, b) => a.accountId - b.accountId)).toEqual([
      { accountId: 1, channel: 'sms', version: 2 },
      { accountId: 2, channel: 'email', version: 1 },
    ]);
  });

  test('what was added behind a version is read, so many of each list, and what is added again is not new', async () => {
    const { store } = harness;
    const key = { accountId: 1, channel: 'sms' as const };
    await harness.suppress({ ...key, hashes: hashes(1, 0, 3) });
    await harness.suppress({ ...key, hashes: [...hashes(1, 0, 3), ...hashes(1, 3, 2)] });
    await harness.suppress({ accountId: 2, channel: 'sms', hashes: hashes(2, 0, 1) });
    const read = async (versions: [number, number], limit = 10) => {
      const lists = versions.map((version, n) => ({ accountId: n + 1, channel: 'sms', version }));
      return await store.readRecentSuppressions({ lists, limit });
    };
    const rows = (accountId: number, found: string[]) =>
      found.map((hash) => ({ accountId, channel: 'sms', hash }));
    const byHash = (a: { hash: string }, b: { hash: string }) => (a.hash < b.hash ? -1 : 1);
    expect((await read([1, 1])).sort(byHash)).toEqual(rows(1, hashes(1, 3, 2)).sort(byHash));
    expect((await read([0, 0])).sort(byHash)).toEqual(
      [...rows(1, hashes(1, 0, 5)), ...rows(2, hashes(2, 0, 1))].sort(byHash),
    );
    expect(await read([0, 0], 1)).toHaveLength(2);
    expect(await read([2, 1])).toEqual([]);
  });

  test('of many recipients those are found that are suppressed', async () => {
    const { store } = harness;
    await harness.suppress({ accountId: 1, channel: 'sms', hashes: hashes(1, 5, 3) });
    expect((await store.findSuppressed({ hashes: hashes(1, 0, 100) })).sort()).toEqual(
      hashes(1, 5, 3).sort(),
    );
    expect(await store.findSuppressed({ hashes: hashes(2, 0, 100) })).toEqual([]);
    expect(await store.findSuppressed({ hashes: [] })).toEqual([]);
  });

  test('a worker knows all lists that there are when it says so, or is told that it does not', async () => {
    const { store } = harness;
    expect(await store.knowSuppressionLists({ workerId: one, lists: 0 })).toBe(false);
    await store.registerWorker({ id: one, host: 'here', pid: 1 });
    expect(await store.knowSuppressionLists({ workerId: one, lists: 0 })).toBe(true);
    await harness.suppress({ accountId: 1, channel: 'sms', hashes: hashes(1, 0, 1) });
    expect(await store.knowSuppressionLists({ workerId: one, lists: 0 })).toBe(false);
    expect(await store.knowSuppressionLists({ workerId: one, lists: 1 })).toBe(true);
    expect(await store.knowSuppressionLists({ workerId: other, lists: 1 })).toBe(false);
  });
});
