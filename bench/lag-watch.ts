import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { ReplicatedPair } from './standby.ts';

export interface Lag {
  /** How old a read on the standby was, sample by sample, by the clock of this process. */
  ageMs: number[];
  /** What the primary had written and the standby had not replayed. */
  bytes: number[];
  /** From the end of the work until the standby had replayed all of it. */
  catchUpMs: number;
}

export interface LagWatch {
  /** To be called when the work is over: waits for the standby, and ends the watch. */
  finish(): Promise<Lag>;
  /** Ends the watch whatever it has seen. May be called after `finish`. */
  stop(): Promise<void>;
}

const catchUpTimeoutMs = 1_200_000;

/**
 * Writes a heartbeat on the primary and looks on the standby which one shows, `everyMs` each. An age counts from before the
 * heartbeat was written to the standby's answer, so a standby that is in step shows up to `everyMs` and the time of both
 * statements.
 */
export async function watchLag(pair: ReplicatedPair, everyMs: number): Promise<LagWatch> {
  const clients = {
    beat: new pg.Client({ connectionString: pair.primaryUrl }),
    primary: new pg.Client({ connectionString: pair.primaryUrl }),
    standby: new pg.Client({ connectionString: pair.standbyUrl }),
  };
  let over = false;
  let failed: Error | undefined;
  let loops: Promise<unknown> = Promise.resolve();
  const lag: Omit<Lag, 'catchUpMs'> = { ageMs: [], bytes: [] };
  const repeat = async (step: () => Promise<void>) => {
    while (!over && !failed) {
      const nextMs = performance.now() + everyMs;
      await step().catch((error: Error) => {
        failed = error;
      });
      await delay(Math.max(0, nextMs - performance.now()));
    }
  };
  const stop = async () => {
    over = true;
    await loops;
    await Promise.all(Object.values(clients).map((client) => client.end()));
  };
  try {
    for (const client of Object.values(clients)) {
      // A connection that breaks fails its statement, and that the watch.
      client.on('error', () => {});
      await client.connect();
    }
    await clients.beat.query('CREATE TABLE IF NOT EXISTS heartbeat AS SELECT 0::float8 AS at_ms');
    await beat(clients.beat);
    // What was written before the watch is none of its lag.
    await untilReplayed({ ...clients, pollMs: everyMs, fault: () => failed });
  } catch (error) {
    await stop();
    throw error;
  }
  loops = Promise.all([
    repeat(() => beat(clients.beat)),
    repeat(async () => {
      const { ageMs, bytes } = await look(clients);
      lag.ageMs.push(ageMs);
      lag.bytes.push(bytes);
    }),
  ]);
  return {
    async finish() {
      const endMs = performance.now();
      await untilReplayed({ ...clients, pollMs: everyMs / 10, fault: () => failed });
      const catchUpMs = performance.now() - endMs;
      await stop();
      if (failed) throw failed;
      return { ...lag, catchUpMs };
    },
    stop: () => (over ? Promise.resolve() : stop()),
  };
}

interface Servers {
  primary: pg.Client;
  standby: pg.Client;
}

async function beat(primary: pg.Client): Promise<void> {
  await primary.query('UPDATE heartbeat SET at_ms = $1', [performance.now()]);
}

/** The standby is asked first: what is written between the two questions counts as lag, and none goes uncounted. */
async function look({ primary, standby }: Servers): Promise<{ ageMs: number; bytes: number }> {
  const { rows } = await standby.query<{ at_ms: number; replayed: string }>(
    'SELECT at_ms, pg_last_wal_replay_lsn() AS replayed FROM heartbeat',
  );
  const shown = rows[0];
  if (!shown) throw new Error('the standby shows no heartbeat');
  const ageMs = performance.now() - shown.at_ms;
  const lacking = await primary.query<{ bytes: string }>(
    'SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1) AS bytes',
    [shown.replayed],
  );
  return { ageMs, bytes: Math.max(0, Number(lacking.rows[0]?.bytes)) };
}

async function untilReplayed(
  options: Servers & { pollMs: number; fault: () => Error | undefined },
): Promise<void> {
  const { primary, standby, pollMs, fault } = options;
  const { rows } = await primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn');
  const deadlineMs = performance.now() + catchUpTimeoutMs;
  for (;;) {
    const answer = await standby.query<{ there: boolean }>(
      'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS there',
      [rows[0]?.lsn],
    );
    const failed = fault();
    if (failed) throw failed;
    if (answer.rows[0]?.there) return;
    if (performance.now() > deadlineMs)
      throw new Error(`the standby had not caught up in ${catchUpTimeoutMs} ms`);
    await delay(pollMs);
  }
}
