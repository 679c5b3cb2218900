import { setTimeout as sleep } from 'node:timers/promises';
import { outboxTable, outboxTableDefault } from '../../../src/client/outbox-table.ts';
import { openOutbox } from '../../../src/outbox/open-outbox.ts';
import { seededRandom } from '../../../src/sink/seeded-random.ts';
import { type AppDatabase, postgresApp } from '../app-database.ts';
import { type RefSink, startRefSink } from '../ref-sink.ts';
import { Installation } from './installation.ts';
import { judge, type OutboxReport } from './judge.ts';
import { Staging } from './staging.ts';

export interface OutboxChaosOptions {
  kills: number;
  rows: number;
  seed: number;
  app: AppDatabase;
  /** Of the Millrace server: migrated or empty. */
  databaseUrl: string;
  onProgress?: (line: string) => void;
}

const pollMs = 200;
const pauseMs = { min: 50, max: 600 };
/** A run ends by itself: after so long it has failed. */
const limitMs = { start: 300_000, kill: 30_000, row: 2 };

/** Transactions that stage, commit late and roll back, while drainers and the server are killed; then the books. */
export async function runOutboxChaos(options: OutboxChaosOptions): Promise<OutboxReport> {
  const { kills, rows, seed, app, databaseUrl, onProgress = () => {} } = options;
  const startedAt = performance.now();
  const deadline = startedAt + limitMs.start + kills * limitMs.kill + rows * limitMs.row;
  const random = seededRandom(seed);
  await openOutbox(app.url, outboxTableDefault).create();
  const sink = await startRefSink();
  const installation = new Installation({ databaseUrl, app, sink, random });
  try {
    await installation.start();
    const staging = new Staging({ app, rows, random: seededRandom(seed + 1) });
    const staged = staging.run();
    staged.catch(() => {});
    for (let kill = 0; kill < kills; kill++) {
      // So that there is something to be moved at the last kill as at the first.
      staging.allow((kill + 1) / (kills + 1));
      await sleep(pauseMs.min + random() * (pauseMs.max - pauseMs.min));
      const what = await installation.killOne();
      // A key that a killed server had taken is free after 30 s: kills meanwhile would hit drainers that only wait.
      if (what === 'the server') await settled(app, deadline);
      onProgress(
        `kill ${kill + 1} of ${kills}: ${what}; ${staging.committed} committed, ${sink.arrivals.length} arrived; ` +
          `last trouble: ${installation.lastTrouble}`,
      );
      if (performance.now() > deadline) throw new Error('the run took longer than it may');
    }
    staging.allow(1);
    await staged;
    await emptied({ databaseUrl, app, sink, staging, deadline, onProgress });
    return await judge({ app, sink, staging, kills: installation.kills, startedAt });
  } finally {
    await installation.stop();
    await sink.stop();
  }
}

/** The requests that are fixed now are settled. */
async function settled(app: AppDatabase, deadline: number): Promise<void> {
  const connection = await app.connect();
  const { request } = outboxTable(outboxTableDefault, app.dialect);
  const count = async (where: string) =>
    (
      await connection.query<{ last: number | string | null; count: number | string }>(
        `SELECT MAX(id) AS last, COUNT(*) AS count FROM ${request} ${where}`,
      )
    )[0]!;
  try {
    const { last } = await count('');
    while (last !== null && Number((await count(`WHERE id <= ${last}`)).count) > 0) {
      if (performance.now() > deadline) throw new Error('nothing is moved any more');
      await sleep(pollMs);
    }
  } finally {
    await connection.end();
  }
}

interface Emptying {
  databaseUrl: string;
  app: AppDatabase;
  sink: RefSink;
  staging: Staging;
  deadline: number;
  onProgress: (line: string) => void;
}

/** Until nothing is staged, fixed or undelivered, in this order: what is sent twice has come twice by then. */
async function emptied({ databaseUrl, app, sink, staging, deadline, onProgress }: Emptying): Promise<void> {
  const [outbox, millrace] = [await app.connect(), await postgresApp(databaseUrl).connect()];
  const { staged, request } = outboxTable(outboxTableDefault, app.dialect);
  try {
    for (let round = 0; ; round++) {
      const [left] = await outbox.query<{ count: number | string }>(
        `SELECT (SELECT COUNT(*) FROM ${staged}) + (SELECT COUNT(*) FROM ${request}) AS count`,
      );
      const [pending] = await millrace.query<{ count: string }>('SELECT COUNT(*) AS count FROM pending');
      if (Number(left!.count) === 0 && Number(pending!.count) === 0) return;
      if (round % 25 === 0) {
        onProgress(
          `${left!.count} left in the outbox, ${pending!.count} chunks undelivered; ` +
            `${sink.arrivals.length} of ${staging.committed} arrived`,
        );
      }
      if (performance.now() > deadline) throw new Error('messages are left that nobody moves or delivers');
      await sleep(pollMs);
    }
  } finally {
    await outbox.end();
    await millrace.end();
  }
}
