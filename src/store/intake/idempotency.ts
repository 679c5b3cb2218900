import type { Database, Queryable } from '../database.ts';

export interface IdempotencyKey {
  /** The shard of hash(account, key). */
  shard: number;
  accountId: number;
  key: string;
}

export interface Reservation {
  /** Made for one try alone, so that they tell it from others; without any it is not told from them. */
  ids: string[];
  upload?: number;
  firstLine?: number;
}

export interface StoredAnswer {
  status: number;
  answer: Buffer;
}

export type ReserveResult =
  /** Nobody used the key: the reservation is committed, the work may begin. */
  | { kind: 'new'; reservation: Reservation; lock: KeyLock }
  /** The first try ended without an answer: do the same work with the same ids. */
  | { kind: 'resume'; reservation: Reservation; lock: KeyLock }
  /** Another try has the lock since, or has renewed it, this long ago; when it died, the lock is free in `leftSeconds`. */
  | { kind: 'running'; heldSeconds: number; leftSeconds: number }
  /** `bodyHash` is that of a streamed body, to be compared with the one sent now. */
  | { kind: 'done'; bodyHash: Buffer | null; stored: StoredAnswer }
  | { kind: 'other_request' };

/** Which try has the key: the time its lock runs out, to the microsecond, as PostgreSQL writes it. */
export type KeyLock = string;

/** The lock of a try that died is free after this long; a long upload renews its own. */
const lockSeconds = 30;

/** 24 hours touch two dates: without them every statement would look into the partitions made ahead as well. */
const kept = `created_at > now() - interval '24 hours'
          AND created_on BETWEEN (now() AT TIME ZONE 'UTC')::date - 1 AND (now() AT TIME ZONE 'UTC')::date`;

/**
 * Reserves a key. `requestHash` covers method, path and query, and the body unless it is still streaming in.
 * Tries with one key come one after another, also at midnight, when the partition changes. May be repeated after an
 * ambiguous COMMIT: a reservation of the same ids that nobody has renewed or released is the try's own, and is made anew.
 */
export async function reserveKey(
  database: Database,
  { key, requestHash, reservation }: { key: IdempotencyKey; requestHash: Buffer; reservation: Reservation },
): Promise<ReserveResult> {
  return await database.transaction(async (transaction) => {
    await transaction.query(
      {
        name: 'lock_idempotency_key',
        text: 'SELECT pg_advisory_xact_lock(hashtextextended($2::text, $1::integer))',
      },
      [key.accountId, key.key],
    );
    const present = await readKey(transaction, key);
    if (!present || isOwn(present, reservation)) {
      const lock = await insertKey(transaction, { key, requestHash, reservation });
      return { kind: 'new', reservation, lock };
    }
    if (!requestHash.equals(present.requestHash)) return { kind: 'other_request' };
    if (present.stored) return { kind: 'done', bodyHash: present.bodyHash, stored: present.stored };
    const leftSeconds = present.lockedSeconds;
    if (leftSeconds > 0) return { kind: 'running', heldSeconds: lockSeconds - leftSeconds, leftSeconds };
    const lock = await renewKey(transaction, key);
    return { kind: 'resume', reservation: present.reservation, lock };
  });
}

/** Keeps the first answer, and with it the hash of a body that was streamed in. */
export async function finishKey(
  database: Queryable,
  { key, bodyHash, stored }: { key: IdempotencyKey; bodyHash?: Buffer; stored: StoredAnswer },
): Promise<void> {
  await database.query(
    {
      name: 'finish_idempotency_key',
      text: `UPDATE idempotency SET status = $4, answer = $5, body_hash = $6
        WHERE shard = $1 AND account_id = $2 AND key = $3 AND ${kept}`,
    },
    [key.shard, key.accountId, key.key, stored.status, stored.answer, bodyHash ?? null],
  );
}

/** Forgets a key whose request was refused before anything was done for it. Leaves one that another try has by now. */
export async function dropKey(
  database: Queryable,
  { key, lock }: { key: IdempotencyKey; lock: KeyLock },
): Promise<void> {
  await database.query(
    {
      name: 'drop_idempotency_key',
      text: `DELETE FROM idempotency
        WHERE shard = $1 AND account_id = $2 AND key = $3 AND locked_until = $4::timestamptz AND status IS NULL
          AND ${kept}`,
    },
    [key.shard, key.accountId, key.key, lock],
  );
}

/** Lets the next try begin at once, after one that failed. Leaves a lock that another try has by now. */
export async function releaseKey(
  database: Queryable,
  { key, lock }: { key: IdempotencyKey; lock: KeyLock },
): Promise<void> {
  await database.query(
    {
      name: 'release_idempotency_key',
      text: `UPDATE idempotency SET locked_until = now()
        WHERE shard = $1 AND account_id = $2 AND key = $3 AND locked_until = $4::timestamptz AND ${kept}`,
    },
    [key.shard, key.accountId, key.key, lock],
  );
}

/**
 * The same for a try that was not told whether it got the key: the ids that it meant to reserve tell whose the row is,
 * and the first lock of a row that no other try has renewed it.
 */
export async function releaseReservation(
  database: Queryable,
  { key, ids }: { key: IdempotencyKey; ids: readonly string[] },
): Promise<void> {
  await database.query(
    {
      name: 'release_reservation',
      text: `UPDATE idempotency SET locked_until = now()
        WHERE shard = $1 AND account_id = $2 AND key = $3 AND ids = $4::uuid[] AND status IS NULL
          AND locked_until = created_at + $5 * interval '1 second' AND ${kept}`,
    },
    [key.shard, key.accountId, key.key, ids, lockSeconds],
  );
}

/** Tells that the try still runs, and which upload it began where. Answers its new lock. */
export async function renewKey(
  database: Queryable,
  key: IdempotencyKey,
  begun?: { upload: number; firstLine: number },
): Promise<KeyLock> {
  const { rows } = await database.query<{ lock: KeyLock }>(
    {
      name: 'renew_idempotency_key',
      text: `UPDATE idempotency
        SET locked_until = now() + $6 * interval '1 second',
          upload = coalesce($4, upload), first_line = coalesce($5, first_line)
        WHERE shard = $1 AND account_id = $2 AND key = $3 AND ${kept}
        RETURNING locked_until::text AS lock`,
    },
    [key.shard, key.accountId, key.key, begun?.upload ?? null, begun?.firstLine ?? null, lockSeconds],
  );
  return rows[0]?.lock ?? noLock;
}

/** Of a key that was dropped meanwhile. */
const noLock: KeyLock = '-infinity';

/** Nobody can have begun the work: the lock is still that of the reservation itself. */
function isOwn({ stored, isFirstLock, reservation: { ids } }: PresentKey, own: Reservation): boolean {
  return !stored && isFirstLock && ids.length > 0 && ids.join() === own.ids.join();
}

interface PresentKey {
  requestHash: Buffer;
  bodyHash: Buffer | null;
  /** Not above zero when it is free. */
  lockedSeconds: number;
  /** As the reservation made it. */
  isFirstLock: boolean;
  stored?: StoredAnswer;
  reservation: Reservation;
}

async function readKey(transaction: Queryable, key: IdempotencyKey): Promise<PresentKey | undefined> {
  const { rows } = await transaction.query<{
    request_hash: Buffer;
    body_hash: Buffer | null;
    locked_seconds: number;
    is_first_lock: boolean;
    status: number | null;
    answer: Buffer | null;
    ids: string[];
    upload: number | null;
    first_line: string | null;
  }>(
    {
      name: 'read_idempotency_key',
      text: `SELECT request_hash, body_hash, extract(epoch FROM locked_until - now())::float8 AS locked_seconds,
          locked_until = created_at + $4 * interval '1 second' AS is_first_lock,
          status, answer, ids::text[], upload, first_line
        FROM idempotency
        WHERE shard = $1 AND account_id = $2 AND key = $3
          AND ${kept}
        ORDER BY created_at DESC LIMIT 1`,
    },
    [key.shard, key.accountId, key.key, lockSeconds],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    requestHash: row.request_hash,
    bodyHash: row.body_hash,
    lockedSeconds: row.locked_seconds,
    isFirstLock: row.is_first_lock,
    ...(row.status !== null && row.answer !== null && { stored: { status: row.status, answer: row.answer } }),
    reservation: {
      ids: row.ids,
      ...(row.upload !== null && { upload: row.upload }),
      ...(row.first_line !== null && { firstLine: Number(row.first_line) }),
    },
  };
}

async function insertKey(
  transaction: Queryable,
  { key, requestHash, reservation }: { key: IdempotencyKey; requestHash: Buffer; reservation: Reservation },
): Promise<KeyLock> {
  const { rows } = await transaction.query<{ lock: KeyLock }>(
    {
      name: 'insert_idempotency_key',
      text: `INSERT INTO idempotency
          (shard, account_id, key, request_hash, ids, upload, first_line, created_at, created_on, locked_until)
        VALUES ($1, $2, $3, $4, $5::uuid[], $6, $7, now(), (now() AT TIME ZONE 'UTC')::date,
          now() + $8 * interval '1 second')
        ON CONFLICT (shard, account_id, key, created_on) DO UPDATE SET
          request_hash = excluded.request_hash, ids = excluded.ids, upload = excluded.upload,
          first_line = excluded.first_line, created_at = excluded.created_at,
          locked_until = excluded.locked_until, status = NULL, answer = NULL, body_hash = NULL
        RETURNING locked_until::text AS lock`,
    },
    [
      key.shard,
      key.accountId,
      key.key,
      requestHash,
      reservation.ids,
      reservation.upload ?? null,
      reservation.firstLine ?? null,
      lockSeconds,
    ],
  );
  return rows[0]!.lock;
}
