import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PaceGrant, PaceReport, PaceState, Shares } from '../../store/delivery/pace-grants.ts';
import { allElse, planGrants, type SharedLimit, shareIn } from './plan-grants.ts';

const limits: Record<string, SharedLimit> = {
  'rate:1': { total: 100, whole: false },
  'conn:1': { total: 8, whole: true },
  'conn:2': { total: 2, whole: true },
  'drate:1:+31': { total: 20, whole: false },
  'dconn:1:+31': { total: 1, whole: true, within: 'conn:1' },
  'dconn:2:*': { total: 1, whole: true, within: 'conn:2' },
};
const keys = Object.keys(limits);
const limitOf = (key: string): SharedLimit | undefined =>
  limits[key] ?? (key.startsWith('account:') ? { total: 50, whole: false } : undefined);
const inTurn = (_: string, workers: readonly string[]) => [...workers];

interface FakeWorker {
  id: string;
  leaving: boolean;
  /** What it follows. */
  grant: PaceGrant;
  demand: Record<string, number>;
  /** Of connections, what requests on their way still use. */
  draining: Shares;
  /** The same of requests that it began under an id of before. */
  inherited: Shares;
  report: PaceReport | undefined;
}

/** The tables, and workers that look into them whenever they like. */
class FakeInstallation {
  readonly workers: FakeWorker[] = [];
  readonly grants = new Map<string, PaceGrant>();
  readonly #dead: FakeWorker[] = [];
  #born = 0;

  join(): FakeWorker {
    const grant = { version: 0, shares: {} };
    const id = `w${this.#born++}`;
    const nothing = { demand: {}, draining: {}, inherited: {} };
    const worker = { id, leaving: false, grant, ...nothing, report: undefined };
    this.workers.push(worker);
    return worker;
  }

  /** It is silent for a lease, or stops: nothing that it uses counts when its row is removed. */
  die(worker: FakeWorker): void {
    this.workers.splice(this.workers.indexOf(worker), 1);
    this.#dead.push(worker);
  }

  /** One that was silent begins anew under another id, while requests of before are on their way. */
  comeBack(): FakeWorker | undefined {
    const before = this.#dead.pop();
    if (before === undefined) return undefined;
    const inUse = keys.filter((key) => limits[key]!.whole).map((key) => [key, inUseOf(before, key)]);
    return Object.assign(this.join(), { demand: before.demand, inherited: Object.fromEntries(inUse) });
  }

  leave(worker: FakeWorker): void {
    worker.leaving = true;
    worker.grant = { version: -1, shares: { [allElse]: 0 } };
    this.report(worker);
  }

  /** Connections in use stay in use after a lower grant, until they are drained. */
  follow(worker: FakeWorker): void {
    const grant = this.grants.get(worker.id);
    if (worker.leaving || grant === undefined || grant.version <= worker.grant.version) return;
    for (const key of keys) {
      const before = inUseOf(worker, key);
      if (limits[key]!.whole && shareIn(grant.shares, key) < before) worker.draining[key] = before;
    }
    worker.grant = structuredClone(grant);
  }

  drain(worker: FakeWorker): void {
    worker.draining = {};
    worker.inherited = {};
  }

  report(worker: FakeWorker): void {
    const shares = { ...worker.grant.shares };
    for (const key of Object.keys({ ...worker.draining, ...worker.inherited })) {
      shares[key] = Math.max(inUseOf(worker, key), worker.inherited[key] ?? 0);
    }
    worker.report = structuredClone({
      demand: worker.demand,
      used: { version: worker.grant.version, shares },
    });
  }

  lead(): number {
    const { grants, gone } = planGrants({ state: this.state(), limitOf, inTurn });
    for (const { workerId, version, shares } of grants) this.grants.set(workerId, { version, shares });
    for (const id of gone) this.grants.delete(id);
    return grants.length + gone.length;
  }

  state(): PaceState {
    const workers = this.workers.map(({ id, leaving, report }) => ({ id, leaving, report }));
    return structuredClone({ round: 0, workers, grants: this.grants, reporters: [] });
  }

  /** What is in use of a key by everybody, whatever has been read and said of it; but for what is inherited. */
  inUse(key: string): number {
    return this.workers.reduce((sum, worker) => sum + inUseOf(worker, key), 0);
  }

  /** Everybody takes turns until nothing changes any more. */
  settle(): void {
    for (let turn = 0; turn < 50; turn++) {
      for (const worker of this.workers) {
        this.follow(worker);
        this.drain(worker);
        this.report(worker);
      }
      if (this.lead() === 0 && turn > 2) return;
    }
    throw new Error('it does not come to rest');
  }
}

function inUseOf({ grant, draining }: FakeWorker, key: string): number {
  return Math.max(shareIn(grant.shares, key), draining[key] ?? 0);
}

const steps = fc.array(
  fc.record({
    what: fc.constantFrom(
      'join',
      'die',
      'comeBack',
      'leave',
      'follow',
      'drain',
      'report',
      'report',
      'want',
      'lead',
      'lead',
    ),
    who: fc.nat(9),
    key: fc.constantFrom(...keys),
    need: fc.constantFrom(0, 1, 4, 64, 1_000),
  }),
  { minLength: 10, maxLength: 150 },
);

test('in whatever order workers read, report, come and go, what is used never adds up to more than there is', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const installation = new FakeInstallation();
      installation.join();
      for (const { what, who, key, need } of script) {
        const worker = installation.workers[who % Math.max(1, installation.workers.length)];
        if (what === 'join') installation.join();
        else if (what === 'comeBack') installation.comeBack();
        else if (what === 'lead') installation.lead();
        else if (worker === undefined) continue;
        else if (what === 'want') worker.demand[key] = need;
        else installation[what](worker);
        for (const each of [...keys, allElse]) expect(installation.inUse(each)).toBeLessThanOrEqual(1 + 1e-6);
      }
      if (!installation.workers.some(({ leaving }) => !leaving)) installation.join();
      for (const worker of [...installation.workers]) if (worker.leaving) installation.die(worker);
      installation.settle();
      // In the end nothing is held back.
      for (const each of [...keys, allElse]) expect(installation.inUse(each)).toBeGreaterThan(0.99);
    }),
    { numRuns: 500 },
  );
});

test('what a worker that came back still uses of before gives it no right to as much beside the others', () => {
  const installation = new FakeInstallation();
  const [stays, returns] = [installation.join(), installation.join()];
  for (const worker of [stays, returns]) worker.demand = { 'conn:1': 8 };
  installation.settle();
  // Its requests are on their way for long, and the other one gets all of it meanwhile.
  installation.die(returns);
  installation.settle();
  expect(shareIn(stays.grant.shares, 'conn:1')).toBe(1);
  const again = installation.comeBack()!;
  installation.report(again);
  installation.lead();
  installation.follow(again);
  expect(shareIn(again.grant.shares, 'conn:1')).toBe(0);
  installation.settle();
  expect([stays, again].map(({ grant }) => shareIn(grant.shares, 'conn:1'))).toEqual([0.5, 0.5]);
});

test('a worker alone has everything by one entry, whatever it wants', () => {
  const installation = new FakeInstallation();
  installation.join();
  installation.settle();
  installation.workers[0]!.demand = { 'rate:1': 50, 'conn:1': 8 };
  installation.settle();
  expect([...installation.grants.values()].map(({ shares }) => shares)).toEqual([{ [allElse]: 1 }]);
});

test('what one leaves unused the other gets, and it comes back when it is wanted', () => {
  const installation = new FakeInstallation();
  installation.join();
  installation.join();
  const [a, b] = installation.workers as [FakeWorker, FakeWorker];
  a.demand = { 'rate:1': 1_000 };
  installation.settle();
  expect(shareIn(a.grant.shares, 'rate:1')).toBeCloseTo(0.95);
  b.demand = { 'rate:1': 1_000 };
  installation.settle();
  expect(shareIn(a.grant.shares, 'rate:1')).toBeCloseTo(0.5);
  expect(shareIn(b.grant.shares, 'rate:1')).toBeCloseTo(0.5);
});

test('of fewer connections than workers each is a whole one', () => {
  const installation = new FakeInstallation();
  for (let n = 0; n < 5; n++) installation.join();
  for (const worker of installation.workers) worker.demand = { 'conn:2': 10 };
  installation.settle();
  const parts = installation.workers.map(({ grant }) => 2 * shareIn(grant.shares, 'conn:2'));
  expect(parts.sort()).toEqual([0, 0, 0, 1, 1]);
});

test('a connection to a destination is one worker at most, and it goes to one that has a connection of the route', () => {
  const installation = new FakeInstallation();
  for (let n = 0; n < 4; n++) installation.join();
  const [a, b, c, d] = installation.workers as [FakeWorker, FakeWorker, FakeWorker, FakeWorker];
  for (const worker of [a, b]) worker.demand = { 'dconn:2:*': 1 };
  for (const worker of [c, d]) worker.demand = { 'conn:2': 1, 'dconn:2:*': 1 };
  installation.settle();
  const parts = () => [a, b, c, d].map(({ grant }) => shareIn(grant.shares, 'dconn:2:*'));
  expect(parts()).toEqual([0, 0, 1, 0]);
  // Nobody else gets it before its request has been answered.
  c.draining = { 'dconn:2:*': 1 };
  c.demand = {};
  for (let turn = 0; turn < 10; turn++) {
    for (const worker of installation.workers) {
      installation.follow(worker);
      installation.report(worker);
    }
    installation.lead();
    expect(installation.inUse('dconn:2:*')).toBe(1);
  }
  expect(parts()).toEqual([0, 0, 0, 0]);
  installation.settle();
  expect(parts()).toEqual([0, 0, 0, 1]);
});

test('a worker that follows a grant which a database lost gets another one, though its version was given again', () => {
  const installation = new FakeInstallation();
  installation.join();
  installation.join();
  const [a, b] = installation.workers as [FakeWorker, FakeWorker];
  a.demand = { 'rate:1': 1_000, 'conn:1': 8 };
  installation.settle();
  // Another database has taken the place, and was given other shares before anybody reported to it.
  const { version } = a.grant;
  installation.grants.set(a.id, { version, shares: { [allElse]: 0.5, 'rate:1': 0.05, 'conn:1': 0.125 } });
  installation.settle();
  expect(a.grant.version).toBeGreaterThan(version);
  for (const worker of [a, b]) expect(worker.grant).toEqual(installation.grants.get(worker.id));
  expect(shareIn(a.grant.shares, 'rate:1')).toBeCloseTo(0.95);
});

test('of many limits the grants name those that are needed most, and share out the others equally', () => {
  const installation = new FakeInstallation();
  installation.join();
  installation.join();
  const [a, b] = installation.workers as [FakeWorker, FakeWorker];
  for (let n = 0; n < 1_000; n++) a.demand[`account:${n}`] = 5;
  a.demand['account:777'] = 50;
  installation.settle();
  for (const { grant } of [a, b]) expect(Object.keys(grant.shares).length).toBeLessThanOrEqual(201);
  expect(shareIn(a.grant.shares, 'account:777')).toBeCloseTo(0.95);
  expect(shareIn(a.grant.shares, 'account:999')).toBe(0.5);
  // Other needs are named in place of these.
  for (let n = 0; n < 1_000; n++) a.demand[`account:${n}`] = n < 500 ? 1 : 50;
  installation.settle();
  for (const { grant } of [a, b]) expect(Object.keys(grant.shares).length).toBeLessThanOrEqual(201);
  for (const key of ['account:777', 'account:1', 'account:999'])
    expect(installation.inUse(key)).toBeLessThanOrEqual(1 + 1e-6);
});
