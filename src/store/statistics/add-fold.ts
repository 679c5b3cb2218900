import {
  addTally,
  counters,
  decodeTallies,
  type SeriesTally,
  TagLimit,
} from '../../message/statistics/series-tallies.ts';
import { addWaits, parseWaits, waitsText } from '../../message/statistics/waits.ts';
import type { Database, Queryable } from '../database.ts';
import type { Fold } from './fold-deltas.ts';
import { keptFromMs, type StatisticsDays, type Step, stepMs, stepOf, steps, tableOf } from './periods.ts';
import { ensureStatisticsPartitions } from './statistics-partitions.ts';

/** What a row tells apart: see `statistics_minute`. */
export const kindOf = (key: { batch: boolean; tag: boolean }): number =>
  (key.batch ? 1 : 0) + (key.tag ? 2 : 0);
export const noBatch = '00000000-0000-0000-0000-000000000000';
/** Where all accounts are counted together. */
export const allAccounts = 0;

/** Rows of one statement. */
const rowsMax = 1_000;
/** How long it is remembered that a fold arrived: it is dropped from its queue before the next one of that queue arrives. */
const rememberedDays = 3;

/** One row of a table of statistics. */
interface Row extends Pick<SeriesTally, 'counts' | 'waits'> {
  kind: number;
  accountId: number;
  routeId: number;
  batch: string;
  tag: string;
  atMs: number;
}

/**
 * Adds a fold to the statistics, in one transaction, unless it has arrived before. What is older than a step is kept is left
 * out of that step. One at a time in a database.
 */
export async function addFold(
  database: Database,
  { fold, days, nowMs }: { fold: Fold; days: StatisticsDays; nowMs: number },
): Promise<void> {
  const bySteps = new Map<Step, Row[]>();
  for (const step of fold.step === null ? steps : [fold.step]) {
    const keptFrom = keptFromMs(step, days, nowMs);
    const rows = rowsOf(fold, step).filter(({ atMs }) => atMs >= keptFrom);
    bySteps.set(step, rows);
    await ensureStatisticsPartitions(database, { step, times: rows.map(({ atMs }) => atMs) });
  }
  await database.transaction(async (transaction) => {
    const { rows: kept } = await transaction.query<{ isHere: boolean }>(lockStatement);
    // It was decided meanwhile: the fold stays in its queue, and goes there.
    if (!kept[0]!.isHere) throw new Error('statistics are kept in another database by now');
    if (!(await noteArrival(transaction, fold))) return;
    for (const [step, rows] of bySteps) await addRows(transaction, { step, rows });
  });
}

const lockStatement = {
  name: 'lock_statistics',
  text: 'SELECT target IS NULL OR target = id AS "isHere" FROM statistics_queue FOR UPDATE',
};

/** False when it is there. What was noted long ago is forgotten, but of no source whose queue may still have it. */
async function noteArrival(transaction: Queryable, { id, source }: Fold): Promise<boolean> {
  const { rowCount } = await transaction.query(
    {
      name: 'note_statistics_fold',
      text: 'INSERT INTO statistics_moved (fold, source) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    },
    [id, source],
  );
  if (rowCount === 0) return false;
  await transaction.query(
    {
      name: 'forget_statistics_folds',
      text: `DELETE FROM statistics_moved WHERE source = $1 AND at < now() - interval '${rememberedDays} days'`,
    },
    [source],
  );
  return true;
}

/** The rows of a step to which a fold adds. */
function rowsOf(fold: Fold, step: Step): Row[] {
  const tallies = decodeTallies(fold.entries);
  // Rows as they were: the sums over all accounts and batches are among them.
  if (fold.step !== null) return tallies.map((tally) => rowAt(tally, tally.time * stepMs[step]));
  const rows = new Map<string, Row>();
  for (const tally of tallies) {
    const atMs = stepOf(step, tally.time * stepMs.minute);
    for (const view of viewsOf(tally)) addRow(rows, rowAt(view, atMs));
  }
  return [...rows.values()];
}

/** A message of a batch counts with the batch and without, and so with a tag. */
function viewsOf(tally: SeriesTally): SeriesTally[] {
  const views = [tally];
  if (tally.batch !== null) views.push({ ...tally, batch: null });
  if (tally.tag === null) views.push({ ...tally, batch: null, accountId: allAccounts });
  return views;
}

function rowAt({ accountId, routeId, batch, tag, counts, waits }: SeriesTally, atMs: number): Row {
  return {
    ...{ accountId, routeId, atMs },
    kind: kindOf({ batch: batch !== null, tag: tag !== null }),
    batch: batch ?? noBatch,
    // Lines that were stored before tags were counted may have it, and PostgreSQL has no text with it.
    tag: (tag ?? '').replaceAll('\0', '\ufffd'),
    // It may be added to.
    ...{ counts: [...counts], waits: new Map(waits) },
  };
}

function addRow(rows: Map<string, Row>, row: Row): void {
  const key = keyOf(row);
  const present = rows.get(key);
  if (present) addTally(present, row);
  else rows.set(key, row);
}

function keyOf({ kind, accountId, routeId, batch, tag, atMs }: Row): string {
  return `${kind} ${accountId} ${routeId} ${batch} ${atMs} ${tag}`;
}

async function addRows(transaction: Queryable, { step, rows }: { step: Step; rows: Row[] }): Promise<void> {
  const limited = await limitTags(transaction, { step, rows });
  for (let start = 0; start < limited.length; start += rowsMax) {
    const some = limited.slice(start, start + rowsMax);
    await addWaitsThere(transaction, { step, rows: some.filter(({ waits }) => waits.size > 0) });
    await transaction.query(addStatement(step), columnsOf(some));
  }
}

/** Of each account only so many tags are told apart in one step: those that came first. */
async function limitTags(
  transaction: Queryable,
  { step, rows }: { step: Step; rows: Row[] },
): Promise<Row[]> {
  const tagged = rows.filter(({ kind }) => kind === kindOf({ batch: false, tag: true }));
  if (tagged.length === 0) return rows;
  const groups = new Map(tagged.map((row) => [groupOf(row), row]));
  const limit = new TagLimit();
  for (const group of await readTags(transaction, { step, rows: [...groups.values()] })) {
    limit.note(groupOf(group), group.tags);
  }
  const limited = new Map<string, Row>();
  for (const row of rows) {
    const hasTag = row.kind >= kindOf({ batch: false, tag: true });
    addRow(limited, hasTag ? { ...row, tag: limit.nameOf(groupOf(row), row.tag) } : row);
  }
  return [...limited.values()];
}

function groupOf({ accountId, atMs }: Pick<Row, 'accountId' | 'atMs'>): string {
  return `${accountId} ${atMs}`;
}

async function readTags(
  transaction: Queryable,
  { step, rows }: { step: Step; rows: Row[] },
): Promise<{ accountId: number; atMs: number; tags: string[] }[]> {
  const { rows: groups } = await transaction.query<{ accountId: number; atMs: number; tags: string[] }>(
    {
      name: `tags_of_statistics_${step}`,
      text: `SELECT s.account_id AS "accountId", (extract(epoch FROM s.at) * 1000)::float8 AS "atMs",
          array_agg(DISTINCT s.tag) AS tags
        FROM unnest($1::integer[], $2::timestamptz[]) AS wanted (account_id, at)
        JOIN ${tableOf(step)} s ON s.kind = 2 AND s.account_id = wanted.account_id AND s.batch = $3 AND s.at = wanted.at
        WHERE s.at >= $4 AND s.at <= $5
        GROUP BY 1, 2`,
    },
    [rows.map(({ accountId }) => accountId), rows.map(timeOf), noBatch, ...boundsOf(rows)],
  );
  return groups;
}

/** Buckets are added here, because whoever else would add to these rows waits for this transaction. */
async function addWaitsThere(
  transaction: Queryable,
  { step, rows }: { step: Step; rows: Row[] },
): Promise<void> {
  if (rows.length === 0) return;
  const byKey = new Map(rows.map((row) => [keyOf(row), row]));
  const { rows: present } = await transaction.query<Row & { text: string }>(
    {
      name: `waits_of_statistics_${step}`,
      text: `SELECT s.kind, s.account_id AS "accountId", s.route_id AS "routeId", s.batch, s.tag,
          (extract(epoch FROM s.at) * 1000)::float8 AS "atMs", s.waits AS text
        FROM unnest($1::smallint[], $2::integer[], $3::integer[], $4::uuid[], $5::text[], $6::timestamptz[])
          AS wanted (kind, account_id, route_id, batch, tag, at)
        JOIN ${tableOf(step)} s USING (kind, account_id, route_id, batch, tag, at)
        WHERE s.at >= $7 AND s.at <= $8`,
    },
    [...keyColumnsOf(rows), ...boundsOf(rows)],
  );
  for (const row of present) addWaits(byKey.get(keyOf(row))!.waits, parseWaits(row.text));
}

function keyColumnsOf(rows: readonly Row[]): unknown[] {
  return [
    rows.map(({ kind }) => kind),
    rows.map(({ accountId }) => accountId),
    rows.map(({ routeId }) => routeId),
    rows.map(({ batch }) => batch),
    rows.map(({ tag }) => tag),
    rows.map(timeOf),
  ];
}

function columnsOf(rows: readonly Row[]): unknown[] {
  return [
    ...keyColumnsOf(rows),
    rows.map(({ waits }) => waitsText(waits)),
    ...counters.map((_, counter) => rows.map(({ counts }) => counts[counter])),
  ];
}

function timeOf({ atMs }: Pick<Row, 'atMs'>): string {
  return new Date(atMs).toISOString();
}

/** So that partitions without any of them are left out. */
function boundsOf(rows: readonly Row[]): [string, string] {
  const times = rows.map(timeOf).sort();
  return [times[0]!, times.at(-1)!];
}

function addStatement(step: Step) {
  const sums = counters.map((name) => `${name} = present.${name} + excluded.${name}`);
  return {
    name: `add_to_statistics_${step}`,
    text: `INSERT INTO ${tableOf(step)} AS present
        (kind, account_id, route_id, batch, tag, at, waits, ${counters.join(', ')})
      SELECT * FROM unnest($1::smallint[], $2::integer[], $3::integer[], $4::uuid[], $5::text[], $6::timestamptz[],
        $7::text[], ${counters.map((_, counter) => `$${8 + counter}::bigint[]`).join(', ')})
      ON CONFLICT (kind, account_id, batch, tag, at, route_id) DO UPDATE SET ${sums.join(', ')},
        waits = CASE WHEN excluded.waits = '' THEN present.waits ELSE excluded.waits END`,
  };
}

const knownStatement = {
  name: 'note_statistics_known',
  text: `INSERT INTO statistics_source AS present (source, known_until) VALUES ($1, $2)
    ON CONFLICT (source) DO UPDATE SET known_until = excluded.known_until
    WHERE present.known_until < excluded.known_until`,
};

/** What was committed in the source before this moment has arrived. */
export async function noteKnown(
  database: Queryable,
  { source, knownUntil }: { source: string; knownUntil: Date },
): Promise<void> {
  await database.query(knownStatement, [source, knownUntil]);
}
