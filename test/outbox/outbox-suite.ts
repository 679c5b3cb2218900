import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { stage } from '../../src/client/outbox.ts';
import { outboxTable } from '../../src/client/outbox-table.ts';
import { openOutbox } from '../../src/outbox/open-outbox.ts';
import type { OutboxSession } from '../../src/outbox/outbox-session.ts';
import { SessionLostError } from '../../src/outbox/outbox-session.ts';
import { type AppConnection, type AppDatabase, mariadbApp, postgresApp } from './app-database.ts';
import { type OutboxSite, routeName, testDrainer, withMethods } from './outbox-site.ts';

type Define = (name: string, body: () => Promise<void>) => void;

interface Around {
  app(): AppDatabase;
  site(): OutboxSite;
}

let tables = 0;
let phone = 0;

/** What an outbox promises, in whichever database it is. */
export function outboxSuite(define: Define, { app, site }: Around): void {
  /** A test on an outbox of its own. */
  const outboxTest = (name: string, body: (outbox: TestOutbox) => Promise<void>) =>
    define(name, async () => {
      const outbox = await makeOutbox(app());
      try {
        await body(outbox);
      } finally {
        await Promise.all(outbox.connections.map((connection) => connection.end().catch(() => {})));
      }
    });

  outboxTest(
    'a message that commits late under a lower id is sent; the naive drain loses it',
    async (outbox) => {
      const { table, stageIn } = outbox;
      const naive = await interleave('naive', async (commitLate) => {
        const drainer = await outbox.connect();
        const { staged } = outboxTable(table, app().dialect);
        const rows = await drainer.query<{ id: number; message: string }>(
          `SELECT id, CONCAT(message, '') AS message FROM ${staged} ORDER BY id`,
        );
        await commitLate();
        await drainer.query(`DELETE FROM ${staged} WHERE id <= ${rows.at(-1)!.id}`);
        return rows.map(({ message }) => (JSON.parse(message) as { ref: string }).ref);
      });
      expect(naive).toEqual(['naive-2']);
      expect(await outbox.countStaged()).toBe(0);

      const sent = await interleave('ours', async (commitLate) => {
        const { drainer, told } = testDrainer({
          ...site(),
          app: app(),
          table,
          wrap: afterFirstRead(commitLate),
        });
        expect(await drainer.runOnce(new AbortController().signal)).toBe(true);
        expect(told).toMatchObject({ accepted: 2, rejected: 0 });
        return await arrived(['ours-1', 'ours-2']);
      });
      expect(sent).toEqual(['ours-2', 'ours-1']);

      async function interleave<Result>(
        name: string,
        drain: (commitLate: () => Promise<void>) => Promise<Result>,
      ): Promise<Result> {
        const [late, early] = [await outbox.connect(), await outbox.connect()];
        await late.begin();
        await early.begin();
        await stageIn(late, `${name}-1`);
        await stageIn(early, `${name}-2`);
        await early.commit();
        return await drain(() => late.commit());
      }
    },
  );

  outboxTest('what a transaction staged that was rolled back is never sent', async (outbox) => {
    const connection = await outbox.connect();
    await connection.begin();
    await outbox.stageIn(connection, 'rolled-back-1');
    await connection.rollback();
    await outbox.stageIn(connection, 'rolled-back-2');
    const { drainer, told } = testDrainer({ ...site(), app: app(), table: outbox.table });
    await drainer.runOnce(new AbortController().signal);
    expect(told.accepted).toBe(1);
    expect(await arrived(['rolled-back-2'])).toEqual(['rolled-back-2']);
    expect(site().sink.arrivals.map(({ ref }) => ref)).not.toContain('rolled-back-1');
  });

  outboxTest('messages of an ordering key leave in the order of their commits', async (outbox) => {
    const { table } = outbox;
    const stopped = new AbortController();
    const { drainer } = testDrainer({ ...site(), app: app(), table });
    const running = drainer.run(stopped.signal);
    const first = await outbox.connect();
    await first.query('CREATE TABLE place (key_name varchar(20), place int, PRIMARY KEY (key_name, place))');
    const keys = ['red', 'green', 'blue'];
    // Each takes the next place of its key under the key's lock alone: without the lock they would take the same one.
    const customer = async (number: number) => {
      const connection = await outbox.connect();
      for (let round = 0; round < 12; round++) {
        const key = keys[(number + round) % keys.length]!;
        await connection.begin();
        const ref = `order-${table}-${number}-${round}`;
        await outbox.stageIn(connection, ref, { orderingKey: key, metadata: { key: `${table}-${key}` } });
        const [row] = await connection.query<{ next: number | string }>(
          `SELECT COUNT(*) + 1 AS next FROM place WHERE key_name = '${key}'`,
        );
        await connection.query(`INSERT INTO place (key_name, place) VALUES ('${key}', ${row!.next})`);
        placed.set(ref, Number(row!.next));
        await connection.commit();
      }
    };
    const placed = new Map<string, number>();
    await Promise.all([0, 1, 2, 3].map(customer));
    await arrived([...placed.keys()]);
    stopped.abort();
    await running;
    for (const key of keys) {
      const came = site().sink.arrivals.filter((arrival) => arrival.key === `${table}-${key}`);
      expect(came.map(({ ref }) => placed.get(ref))).toEqual(came.map((_, index) => index + 1));
      expect(came.length).toBeGreaterThan(5);
    }
  });

  outboxTest('a bad message is set aside with the reason, and its neighbours are sent', async (outbox) => {
    const connection = await outbox.connect();
    const { rejected } = outboxTable(outbox.table, app().dialect);
    await outbox.insert(connection, [
      good('neighbour-1'),
      { ...good('bad-number'), to: 'nobody' },
      { ...good('bad-route'), route: 'elsewhere' },
      good('neighbour-2'),
      { ...good('too-long'), body: 'x'.repeat(70_000) },
      'no object',
      good('neighbour-3'),
    ]);
    const { drainer, told } = testDrainer({ ...site(), app: app(), table: outbox.table });
    await drainer.runOnce(new AbortController().signal);
    expect(told).toMatchObject({ accepted: 3, rejected: 4 });
    expect(told.setAside.sort()).toEqual([
      'invalid_recipient',
      'line_too_long',
      'not_an_object',
      'unknown_route',
    ]);
    await arrived(['neighbour-1', 'neighbour-2', 'neighbour-3']);
    const rows = await connection.query<{ staged_id: number | string; code: string; message: unknown }>(
      `SELECT staged_id, code, CONCAT(message, '') AS message FROM ${rejected} ORDER BY staged_id`,
    );
    expect(rows.map(({ staged_id, code }) => [Number(staged_id), code])).toEqual([
      [2, 'invalid_recipient'],
      [3, 'unknown_route'],
      [5, 'line_too_long'],
      [6, 'not_an_object'],
    ]);
    expect(JSON.parse(rows[0]!.message as string)).toEqual({ ...good('bad-number'), to: 'nobody' });
    expect(await outbox.countStaged()).toBe(0);
  });

  outboxTest('what a quota keeps out waits in its place, and is sent when it may be', async (outbox) => {
    const connection = await outbox.connect();
    const account = await site().client.accounts.create({
      name: outbox.table,
      limits: { messagesPerDay: 3 },
    });
    const { key } = await site().client.keys.create({ accountId: account.id, scopes: ['send'] });
    const client = createClient({ url: site().server.url, key, attemptsMax: 1 });
    const refs = [1, 2, 3, 4, 5].map((n) => `quota-${outbox.table}-${n}`);
    for (const ref of refs.slice(0, 3)) await outbox.stageIn(connection, ref);
    await outbox.insert(connection, [{ ...good(`quota-bad-${outbox.table}`), to: 'nobody' }]);
    for (const ref of refs.slice(3)) await outbox.stageIn(connection, ref);
    const stopped = new AbortController();
    const { drainer, told } = testDrainer({ client, app: app(), table: outbox.table });
    const running = drainer.run(stopped.signal);
    await expect.poll(() => told.heldBack.length).toBeGreaterThan(1);
    expect(told).toMatchObject({
      accepted: 3,
      rejected: 1,
      setAside: ['invalid_recipient'],
      millraceAway: 0,
    });
    await outbox.stageIn(connection, `quota-${outbox.table}-6`);
    stopped.abort();
    await running;
    // Another one takes it up where it was left.
    await site().client.accounts.set(account.id, { limits: {} });
    const next = testDrainer({ client, app: app(), table: outbox.table });
    await next.drainer.runOnce(new AbortController().signal);
    expect(next.told).toMatchObject({ accepted: 3, rejected: 0 });
    expect(await arrived([...refs, `quota-${outbox.table}-6`])).toHaveLength(6);
    expect(site().sink.doubled).toEqual([]);
    client.close();
  });

  outboxTest('of two drainers that hold a part of one request back, one keeps it', async (outbox) => {
    const connection = await outbox.connect();
    for (const n of [1, 2]) await outbox.stageIn(connection, `kept-${outbox.table}-${n}`);
    const [one, other] = await Promise.all([1, 2].map(() => openOutbox(app().url, outbox.table).open()));
    await one!.tryLock();
    const rows = await one!.readStaged({ after: 0, gaps: [], limit: 10 });
    const request = (await one!.fix(
      rows.map(({ id }) => id),
      { posted: true },
    ))!;
    const held = request.messages.slice(1);
    const kept = await one!.keep(request, { rejected: [], held });
    await one!.end();
    await expect.poll(() => other!.tryLock()).toBe(true);
    expect(await other!.keep(request, { rejected: [], held })).toBeUndefined();
    await other!.settle(request, { rejected: [], next: undefined });
    const [left] = await other!.openRequests();
    expect(left).toMatchObject({ id: request.id, idempotencyKey: kept!.idempotencyKey, messages: held });
    await other!.end();
  });

  outboxTest(
    'a database that lets itself be read and not written is asked ever less often',
    async (outbox) => {
      const connection = await outbox.connect();
      await outbox.stageIn(connection, `read-only-${outbox.table}`);
      const readOnly = (session: OutboxSession) =>
        withMethods(session, {
          fix: async () => {
            throw new SessionLostError('the database is read-only');
          },
        });
      const { drainer, told } = testDrainer({
        ...{ ...site(), app: app(), table: outbox.table },
        ...{ wrap: readOnly, random: () => 0.5 },
      });
      const stopped = new AbortController();
      const running = drainer.run(stopped.signal);
      await expect.poll(() => told.waitsMs.length).toBe(4);
      stopped.abort();
      await running;
      expect(told.waitsMs).toEqual([50, 100, 200, 400]);
      expect(told.working).toBe(1);
    },
  );

  outboxTest(
    'a drainer that dies between the post and its books doubles nothing, whatever was staged since',
    async (outbox) => {
      const connection = await outbox.connect();
      for (let n = 0; n < 5; n++) await outbox.stageIn(connection, `crash-${n}`);
      const dying = (session: OutboxSession) =>
        withMethods(session, {
          settle: async () => {
            throw new SessionLostError('the connection is gone');
          },
        });
      const first = testDrainer({ ...site(), app: app(), table: outbox.table, wrap: dying });
      await expect(first.drainer.runOnce(new AbortController().signal)).rejects.toThrow('gone');
      await arrived(['crash-4']);
      for (let n = 5; n < 8; n++) await outbox.stageIn(connection, `crash-${n}`);
      const second = testDrainer({ ...site(), app: app(), table: outbox.table });
      await second.drainer.runOnce(new AbortController().signal);
      expect(second.told.accepted).toBe(8);
      await arrived(['crash-7']);
      const came = site().sink.arrivals.filter(({ ref }) => ref.startsWith('crash-'));
      expect(came).toHaveLength(8);
      expect(site().sink.doubled).toEqual([]);
    },
  );

  outboxTest(
    'a request that may have been posted a day ago is set aside; one that never was is posted',
    async (outbox) => {
      const connection = await outbox.connect();
      const tablesOf = outboxTable(outbox.table, app().dialect);
      const yesterday =
        app().dialect === 'postgres' ? "now() - interval '24 hours'" : 'now() - INTERVAL 24 HOUR';
      for (const [name, postedAt] of [
        ['posted-yesterday', yesterday],
        ['fixed-yesterday', 'NULL'],
      ] as const) {
        await outbox.stageIn(connection, name);
        const session = await openOutbox(app().url, outbox.table).open();
        await session.tryLock();
        const [row] = await session.readStaged({ after: 0, gaps: [], limit: 10 });
        const { id } = (await session.fix([row!.id], { posted: true }))!;
        await session.end();
        await connection.query(
          `UPDATE ${tablesOf.request} SET fixed_at = ${yesterday}, posted_at = ${postedAt} WHERE id = ${id}`,
        );
      }
      const { drainer, told } = testDrainer({ ...site(), app: app(), table: outbox.table });
      await drainer.runOnce(new AbortController().signal);
      expect(told).toMatchObject({ accepted: 1, rejected: 1, setAside: ['outcome_unknown'] });
      await arrived(['fixed-yesterday']);
      expect(site().sink.arrivals.map(({ ref }) => ref)).not.toContain('posted-yesterday');
    },
  );

  outboxTest(
    'a gap is not given up while its transaction is open, and is once it has been rolled back',
    async (outbox) => {
      const [open, other] = [await outbox.connect(), await outbox.connect()];
      const session = await openOutbox(app().url, outbox.table).open();
      await open.begin();
      await outbox.stageIn(open, 'gap-1');
      await outbox.stageIn(other, 'gap-2');
      const [seen] = await session.readStaged({ after: 0, gaps: [], limit: 10 });
      expect(seen!.id).toBe(2);
      const since = await session.moment();
      expect(await session.haveEnded(since, [[1, 1]])).toBe(false);
      await open.rollback();
      // PostgreSQL counts the transactions of all databases of its cluster: another test's may be older and open.
      await expect.poll(() => session.haveEnded(since, [[1, 1]])).toBe(true);
      await session.end();
    },
  );

  outboxTest('the privileges that the documentation names are enough', async (outbox) => {
    const owner = await outbox.connect();
    const { table } = outbox;
    const text = await readFile(new URL('../../docs/outbox.md', import.meta.url), 'utf8');
    const { dialect } = app();
    const grants = [...text.matchAll(/^GRANT (.*) ON (.*) TO (drainer|app)(@'%')?;$/gm)].filter(
      ([, , , , host]) => (host === undefined) === (dialect === 'postgres'),
    );
    expect(grants.length).toBeGreaterThan(2);
    const users = { drainer: `${table}_drainer`, app: `${table}_app` };
    for (const user of Object.values(users)) {
      const made =
        dialect === 'postgres'
          ? `ROLE ${user} LOGIN PASSWORD 'secret'`
          : `USER ${user}@'%' IDENTIFIED BY 'secret'`;
      await owner.query(`CREATE ${made}`);
    }
    for (const [, privileges, on, user, host = ''] of grants) {
      const tables = on!.replaceAll('app.', '').replaceAll('millrace_outbox', table);
      await owner.query(`GRANT ${privileges} ON ${tables} TO ${users[user as 'app']}${host}`);
    }
    const as = (user: string) => {
      const url = new URL(app().url);
      [url.username, url.password] = [user, 'secret'];
      return { ...app(), url: url.href };
    };
    const connection = await (dialect === 'postgres' ? postgresApp : mariadbApp)(as(users.app).url).connect();
    outbox.connections.push(connection);
    await outbox.stageIn(connection, `granted-${table}`, { orderingKey: 'k' });
    await outbox.stageIn(connection, `granted-bad-${table}`, { to: 'nobody' });
    await outbox.insert(connection, [{ ...good('granted-long'), body: 'x'.repeat(70_000) }]);
    const { drainer, told } = testDrainer({ ...site(), app: as(users.drainer), table });
    await drainer.runOnce(new AbortController().signal);
    expect(told).toMatchObject({
      accepted: 1,
      rejected: 2,
      setAside: ['line_too_long', 'invalid_recipient'],
    });
    if (dialect === 'mariadb') return;
    for (const user of Object.values(users)) await owner.query(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
  });

  async function arrived(refs: readonly string[]): Promise<string[]> {
    const here = () =>
      site()
        .sink.arrivals.map(({ ref }) => ref)
        .filter((ref) => refs.includes(ref));
    await expect.poll(() => here().length).toBe(refs.length);
    return here();
  }
}

export function good(ref: string): Record<string, unknown> {
  return { to: `+316${String(10_000_000 + phone++)}`, body: 'Hello', ref, route: routeName };
}

/** Lets something happen between the first look at what is staged and whatever the drainer does next. */
function afterFirstRead(happen: () => Promise<void>) {
  let done = false;
  return (session: OutboxSession) =>
    withMethods(session, {
      async readStaged(where) {
        const rows = await session.readStaged(where);
        if (!done && rows.length > 0) {
          done = true;
          await happen();
        }
        return rows;
      },
    });
}

export interface TestOutbox {
  table: string;
  connections: AppConnection[];
  connect(): Promise<AppConnection>;
  stageIn(connection: AppConnection, ref: string, more?: Record<string, unknown>): Promise<void>;
  /** As an application in another language does: no check but the database's. */
  insert(connection: AppConnection, messages: readonly unknown[]): Promise<void>;
  countStaged(): Promise<number>;
}

export async function makeOutbox(app: AppDatabase): Promise<TestOutbox> {
  const table = `outbox_${tables++}`;
  await openOutbox(app.url, table).create();
  const { staged } = outboxTable(table, app.dialect);
  const connections: AppConnection[] = [];
  const connect = async () => {
    const connection = await app.connect();
    connections.push(connection);
    return connection;
  };
  return {
    table,
    connections,
    connect,
    stageIn: (connection, ref, more) =>
      stage(connection.staging, { ...good(ref), ...more } as { to: string }, { table }),
    async insert(connection, messages) {
      for (const message of messages) {
        const mark = app.dialect === 'postgres' ? '$1' : '?';
        await connection.query(`INSERT INTO ${staged} (message) VALUES (${mark})`, [JSON.stringify(message)]);
      }
    },
    async countStaged() {
      const connection = await connect();
      const [row] = await connection.query<{ count: number | string }>(
        `SELECT COUNT(*) AS count FROM ${staged}`,
      );
      return Number(row!.count);
    },
  };
}
