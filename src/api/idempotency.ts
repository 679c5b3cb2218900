import { createHash, randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { retryStore } from '../intake/retry-store.ts';
import { systemClock } from '../lib/clock.ts';
import { isSealed, type SecretBox } from '../lib/secret-box.ts';
import { errorCodes, ProblemError } from '../message/error-codes.ts';
import { limits } from '../message/limits.ts';
import { DatabaseError } from '../store/database.ts';
import {
  dropKey,
  finishKey,
  type IdempotencyKey,
  type Reservation,
  type ReserveResult,
  releaseKey,
  releaseReservation,
  renewKey,
  reserveKey,
} from '../store/intake/idempotency.ts';
import type { ApiContext } from './context.ts';

/** An answer as it is kept and sent again. */
export interface Answer {
  status: number;
  body: unknown;
  /** What is kept and sent again instead of `body`, where that holds a secret to be shown once. */
  kept?: unknown;
}

export interface IdempotentWork {
  /** What the work needs to be the same when it is done again: ids that do not exist yet. Absent where it needs none. */
  reserve?: () => Reservation;
  /** The body when it was read whole; a streamed body gives `bodyHash` with its answer instead. */
  body?: Buffer;
  /** Does the work. `again` is true when an earlier try may have done a part of it. */
  work: (at: KeyedTry) => Promise<Answer & { bodyHash?: Buffer }>;
  /**
   * Reads a streamed body that was sent again after its answer, to compare it.
   * Absent for bodies that were read whole.
   */
  hashBody?: () => Promise<Buffer>;
  /** The answer shows credentials: what is kept of it is sealed. */
  secretAnswer?: boolean;
  /** A refusal may leave work behind that a next try goes on with: the key stays. */
  keepsPart?: boolean;
}

export interface KeyedTry {
  reservation: Reservation;
  again: boolean;
  /** A hash of the key and its account; absent without a key. */
  keyHash?: bigint;
  /** Keeps the key locked while the work takes long, and notes the upload that it began. */
  renew: (begun?: { upload: number; firstLine: number }) => Promise<void>;
}

const keyLengthMax = 255;
/** Most tries have ended by then. */
const tryUsualSeconds = 2;
/** Nobody is told to wait for longer than this, though the lock may run for longer. */
const askAgainSeconds = 5;

/**
 * Does a write once for each `Idempotency-Key`: the same key and request give the first answer again for
 * 24 hours. Without the header it simply does the write.
 * After draft-ietf-httpapi-idempotency-key-header-07.
 */
export async function idempotently(
  context: ApiContext,
  at: { request: FastifyRequest; reply: FastifyReply },
  { reserve = ownReservation, body, work, hashBody, secretAnswer = false, keepsPart = false }: IdempotentWork,
): Promise<FastifyReply> {
  const { request, reply } = at;
  const key = keyOf(request);
  if (!key) {
    const answer = await work({ reservation: reserve(), again: false, renew: async () => {} });
    return send(reply, { status: answer.status, text: JSON.stringify(answer.body) });
  }
  const { database, secrets } = context;
  const requestHash = hashRequest(request, body);
  const result = await reserveOrFree(context, { key, requestHash, reservation: reserve() });
  if (result.kind === 'other_request') throw keyReused();
  if (result.kind === 'running') {
    throw inProgress(result);
  }
  if (result.kind === 'done') {
    if (result.bodyHash && hashBody && !result.bodyHash.equals(await hashBody())) throw keyReused();
    reply.header('idempotent-replayed', 'true');
    const { status, answer } = result.stored;
    return send(reply, { status, text: shownAgain(secrets, { key, kept: answer.toString() }) });
  }
  let { lock } = result;
  try {
    const answer = await work({
      reservation: result.reservation,
      again: result.kind === 'resume',
      keyHash: key.hash,
      async renew(begun) {
        lock = await renewKey(database, key, begun);
      },
    });
    const text = JSON.stringify(answer.body);
    const kept = answer.kept === undefined ? text : JSON.stringify(answer.kept);
    await finishKey(database, {
      key,
      stored: {
        status: answer.status,
        answer: Buffer.from(secretAnswer ? secrets.seal(kept, aboutAnswer(key)) : kept),
      },
      ...(answer.bodyHash && { bodyHash: answer.bodyHash }),
    });
    return send(reply, { status: answer.status, text });
  } catch (error) {
    // What an earlier try has done is found by its key alone, so a later try's refusal keeps the key as well.
    const isFirst = result.kind === 'new';
    const refused =
      isFirst && error instanceof ProblemError && errorCodes[error.code].status < 500 && !keepsPart;
    const giveBack = refused ? dropKey : releaseKey;
    await context.keyFreer.free(() => giveBack(database, { key, lock }));
    throw error;
  }
}

/** Work that needs no ids still has its try told from others. */
function ownReservation(): Reservation {
  return { ids: [randomUUID()] };
}

/**
 * Outlasts a failover, as what follows does. Where nobody knows in the end whether the key was reserved, the next try need
 * not wait for its lock to run out.
 */
async function reserveOrFree(
  { database, keyFreer }: ApiContext,
  wanted: { key: IdempotencyKey; requestHash: Buffer; reservation: Reservation },
): Promise<ReserveResult> {
  let mayBeReserved = false;
  const reserve = async () => {
    try {
      return await reserveKey(database, wanted);
    } catch (error) {
      mayBeReserved ||= error instanceof DatabaseError && error.fault.ambiguous;
      throw error;
    }
  };
  try {
    return await retryStore(reserve, { clock: systemClock });
  } catch (error) {
    const { key, reservation } = wanted;
    const { ids } = reservation;
    if (mayBeReserved && ids.length > 0) {
      await keyFreer.free(() => releaseReservation(database, { key, ids }));
    }
    throw error;
  }
}

/** JSON never has the form of a sealed text, so that what was kept tells itself which it is. */
function shownAgain(secrets: SecretBox, { key, kept }: { key: IdempotencyKey; kept: string }): string {
  return isSealed(kept) ? secrets.open(kept, aboutAnswer(key)) : kept;
}

function aboutAnswer({ accountId, key }: IdempotencyKey): string {
  return `answer/${accountId}/${key}`;
}

function keyOf(request: FastifyRequest): (IdempotencyKey & { hash: bigint }) | null {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return null;
  const key = Array.isArray(header) ? header.join(',') : header;
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(key) || key.length > keyLengthMax) {
    throw new ProblemError(
      'invalid_request',
      `Idempotency-Key must be 1 to ${keyLengthMax} printable ASCII characters.`,
    );
  }
  const { accountId, test } = request.caller;
  // What was tried with a test key may be sent in earnest under the same key. No header holds a line feed.
  const name = test ? `test\n${key}` : key;
  const hash = createHash('sha256').update(`${accountId}:${name}`).digest();
  return { shard: hash.readUInt16BE(0) % limits.shards, accountId, key: name, hash: hash.readBigInt64BE(8) };
}

/** Method and URL, and the body where it was read whole. */
function hashRequest(request: FastifyRequest, body: Buffer | undefined): Buffer {
  const hash = createHash('sha256').update(`${request.method} ${request.url}\n`);
  if (body) hash.update(body);
  return hash.digest();
}

/**
 * A try that lasts longer than most may have died with its process: then only the end of its lock sets the key free. Where
 * it has only failed, because the database went away, the key is free soon after it came back.
 */
function inProgress({
  heldSeconds,
  leftSeconds,
}: {
  heldSeconds: number;
  leftSeconds: number;
}): ProblemError {
  const retryAfterSeconds =
    heldSeconds < tryUsualSeconds ? 1 : Math.min(Math.ceil(leftSeconds), askAgainSeconds);
  return new ProblemError('idempotency_in_progress', `Ask again in ${retryAfterSeconds} s.`, {
    retryAfterSeconds,
  });
}

function keyReused(): ProblemError {
  return new ProblemError(
    'idempotency_key_reused',
    'This Idempotency-Key belongs to another request. Use a new key for a new request.',
  );
}

function send(reply: FastifyReply, { status, text }: { status: number; text: string }): FastifyReply {
  return reply.code(status).header('content-type', 'application/json; charset=utf-8').send(text);
}
