import { expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { suppressionHash } from '../../message/suppression.ts';
import { type SuppressionListRow, suppressionDigest } from '../../store/delivery/read-suppressions.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import { checkMsMax, Suppressions } from './suppressions.ts';

const phone = (n: number) => `+3161${1_000_000 + n}`;

/** A worker's view of a store in memory, with a clock that the test moves. */
class Bench {
  nowMs = 0;
  lists: SuppressionListRow[] = [];
  readonly rows: { accountId: number; channel: string; version: number; hash: string }[] = [];
  lookedUp = 0;
  lookUpMs = 0;
  aware = true;
  known = 0;
  readonly works: ChunkWork[] = [];
  readonly suppressions = new Suppressions({
    store: {
      readSuppressionDigest: async () => suppressionDigest(this.lists),
      readSuppressionLists: async () => this.lists.map((list) => ({ ...list })),
      readRecentSuppressions: async ({ lists, limit }) =>
        lists.flatMap((list) =>
          this.rows
            .filter((row) => row.accountId === list.accountId && row.version > list.version)
            .slice(0, limit),
        ),
      findSuppressed: async ({ hashes }) => {
        this.lookedUp += hashes.length;
        this.nowMs += this.lookUpMs;
        const known = new Set(this.rows.map(({ hash }) => hash));
        return hashes.filter((hash) => known.has(hash));
      },
      knowSuppressionLists: async ({ lists }) => this.aware && lists === this.lists.length,
    },
    clock: { ...systemClock, monotonicMs: () => this.nowMs },
    workerId: () => 'w',
    loaded: () => this.works,
    onKnown: () => this.known++,
  });

  suppress(accountId: number, recipients: string[]): void {
    let list = this.lists.find((each) => each.accountId === accountId);
    if (!list) {
      list = { accountId, channel: 'sms', version: 0 };
      this.lists.push(list);
    }
    list.version++;
    for (const to of recipients) {
      this.rows.push({ ...list, hash: suppressionHash(accountId, to)! });
    }
  }

  /** A chunk that is loaded as the loader does it. */
  async load(accountId: number, recipients: string[]): Promise<ChunkWork> {
    const { suppressions } = this;
    const checkedAtMs = this.nowMs;
    const chunk = { id: `c${this.works.length}`, count: recipients.length, lane: { key: { accountId } } };
    const found = suppressions.concerns(accountId)
      ? await suppressions.check([{ id: chunk.id, accountId, recipients }])
      : new Map();
    const work = {
      ...{ chunk, checkedAtMs, suppressed: found.get(chunk.id), recipients: () => recipients },
      noteChecked(atMs: number, suppressed: ReadonlySet<number> | undefined) {
        Object.assign(work, { checkedAtMs: atMs, suppressed });
      },
    } as unknown as ChunkWork;
    this.works.push(work);
    return work;
  }

  suppressedOf(work: ChunkWork): string[] {
    const isSuppressed = (to: string, offset: number) => this.suppressions.isSuppressed(work, offset, to);
    return work.recipients().flatMap((to, offset) => (isSuppressed(to!, offset) ? to! : []));
  }

  async turn(ms = 250): Promise<void> {
    this.nowMs += ms;
    await this.suppressions.runOnce();
  }
}

test('an account without a list is never looked up', async () => {
  const bench = new Bench();
  bench.suppress(1, [phone(1)]);
  await bench.turn();
  const work = await bench.load(2, [phone(1), phone(2)]);
  for (let turn = 0; turn < 200; turn++) await bench.turn();
  expect([bench.suppressedOf(work), bench.lookedUp]).toEqual([[], 0]);
});

test('what is added holds for what is in memory after a turn, also on a list that is new, and for nobody else', async () => {
  const bench = new Bench();
  await bench.turn();
  const [mine, other] = [await bench.load(1, [phone(1), phone(2)]), await bench.load(2, [phone(1)])];
  bench.suppress(1, [phone(2)]);
  expect(bench.suppressedOf(mine)).toEqual([]);
  await bench.turn();
  expect(bench.suppressedOf(mine)).toEqual([phone(2)]);
  bench.suppress(1, [phone(1)]);
  await bench.turn();
  expect(bench.suppressedOf(mine)).toEqual([phone(1), phone(2)]);
  expect([bench.suppressedOf(other), bench.lookedUp]).toEqual([[], 0]);
});

test('what was found when a chunk was loaded holds as long as it is in memory', async () => {
  const bench = new Bench();
  bench.suppress(1, [phone(1)]);
  await bench.turn();
  const work = await bench.load(1, [phone(0), phone(1)]);
  for (let turn = 0; turn < 300; turn++) {
    expect(bench.suppressedOf(work)).toEqual([phone(1)]);
    await bench.turn();
  }
});

test('after half a minute, what is in memory is looked up once more, and what was added is forgotten without a gap', async () => {
  const bench = new Bench();
  await bench.turn();
  const work = await bench.load(1, [phone(1), phone(2)]);
  bench.suppress(1, [phone(2)]);
  await bench.turn();
  for (let turn = 0; turn < 1_000; turn++) {
    expect(bench.suppressedOf(work)).toEqual([phone(2)]);
    await bench.turn();
  }
  expect(bench.lookedUp).toBe(2);
});

test.each([
  ['more than is read of a list in a turn', 1, 1_500],
  ['more than is remembered', 24, 900],
])('what is in memory is looked up where %s is added', async (_, turns, each) => {
  const bench = new Bench();
  bench.suppress(1, [phone(0)]);
  await bench.turn();
  const works = [];
  for (let n = 0; n < 20; n++) works.push(await bench.load(1, [phone(n * each), phone(n * each + 1)]));
  for (let turn = 0; turn < turns; turn++) {
    bench.suppress(
      1,
      Array.from({ length: each }, (_, n) => phone(turn * each + n)),
    );
    await bench.turn();
    const added = works.filter((_, n) => n <= turn);
    for (const work of added) expect(bench.suppressedOf(work)).toHaveLength(2);
  }
  expect(bench.suppressedOf(await bench.load(1, [phone(1)]))).toEqual([phone(1)]);
});

test('a look-up that takes longer than what is added is remembered for is made again', async () => {
  const bench = new Bench();
  bench.suppress(1, [phone(1)]);
  await bench.turn();
  bench.lookUpMs = checkMsMax + 1;
  await expect(bench.load(1, [phone(1)])).rejects.toThrow('took too long');
});

test('nothing is known before the worker has said that it knows all lists, and again after its lease ran out', async () => {
  const bench = new Bench();
  const { suppressions } = bench;
  bench.aware = false;
  await bench.turn();
  expect([suppressions.begun, suppressions.known]).toEqual([true, false]);
  bench.aware = true;
  await bench.turn();
  expect([suppressions.known, bench.known]).toEqual([true, 1]);
  const turning = bench.turn();
  suppressions.forget();
  await turning;
  expect(suppressions.known).toBe(false);
  await bench.turn();
  expect([suppressions.known, bench.known]).toEqual([true, 2]);
});
