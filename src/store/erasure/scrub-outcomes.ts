import { isDeepStrictEqual } from 'node:util';
import { type Bitmap, inBitmap, offsetsOf } from '../../message/bitmap.ts';
import { erasedError } from '../../message/erased-line.ts';
import { mayNamePerson } from '../../message/may-name-person.ts';
import { providerRefHash } from '../../message/provider-ref-hash.ts';
import type { Queryable } from '../database.ts';

/** Messages of one chunk that were erased. */
export interface ErasedMessages {
  chunkId: string;
  offsets: Bitmap;
  /** Messages in the chunk. */
  count: number;
}

interface OutcomeText {
  seq: string;
  offsets: Buffer | null;
  details: (string | null)[] | null;
  provider_refs: (string | null)[] | null;
}

const readStatement = {
  name: 'read_outcome_texts',
  text: `SELECT seq, offsets, details, provider_refs FROM outcome
    WHERE shard = $1 AND chunk_id = $2 AND (details IS NOT NULL OR provider_refs IS NOT NULL)
      AND error_code IS DISTINCT FROM $3`,
};

const writeStatement = {
  name: 'scrub_outcome',
  text: 'UPDATE outcome SET details = $4, provider_refs = $5 WHERE shard = $1 AND chunk_id = $2 AND seq = $3',
};

/**
 * Takes out of recorded outcomes what providers said of erased messages: details and references. `quoting`: the
 * recipient, which the details of its neighbours may not quote either.
 */
export async function scrubOutcomes(
  transaction: Queryable,
  { shard, erased, quoting }: { shard: number; erased: ErasedMessages; quoting?: string },
): Promise<void> {
  const { chunkId } = erased;
  const { rows } = await transaction.query<OutcomeText & Record<string, unknown>>(readStatement, [
    shard,
    chunkId,
    erasedError.code,
  ]);
  await forgetReferences(transaction, { shard, erased, rows });
  for (const row of rows) {
    const details = scrubbedDetails(row, { erased, quoting });
    const refs = row.provider_refs && withoutErased(row.provider_refs, row.offsets, erased);
    if (isDeepStrictEqual([details, refs], [row.details, row.provider_refs])) continue;
    await transaction.query(writeStatement, [shard, chunkId, row.seq, details, refs]);
  }
}

const routeStatement = {
  name: 'route_of_erased',
  text: 'SELECT route_id AS "routeId" FROM chunk WHERE shard = $1 AND id = $2',
};

const forgetStatement = {
  name: 'forget_provider_refs',
  text: 'DELETE FROM provider_ref WHERE hash = ANY($3::bigint[]) AND shard = $1 AND chunk_id = $2',
};

/** By its provider's id no erased message is found any more. */
async function forgetReferences(
  transaction: Queryable,
  of: { shard: number; erased: ErasedMessages; rows: readonly OutcomeText[] },
): Promise<void> {
  const { shard, erased } = of;
  const refs = of.rows.flatMap(({ provider_refs: refs, offsets }) =>
    offsetsOf(offsets, erased.count).flatMap((offset, index) => {
      const ref = refs?.[index];
      return ref != null && inBitmap(erased.offsets, offset) ? [ref] : [];
    }),
  );
  if (refs.length === 0) return;
  const key = [shard, erased.chunkId];
  const [chunk] = (await transaction.query<{ routeId: number }>(routeStatement, key)).rows;
  if (!chunk) return;
  const hashes = refs.map((ref) => providerRefHash(chunk.routeId, ref));
  await transaction.query(forgetStatement, [...key, hashes]);
}

function scrubbedDetails(
  { details, offsets }: OutcomeText,
  { erased, quoting }: { erased: ErasedMessages; quoting: string | undefined },
): (string | null)[] | null {
  if (details === null) return null;
  const quotes = (detail: string | null) => quoting !== undefined && detail?.includes(quoting) === true;
  const concerned = offsetsOf(offsets, erased.count);
  const shared = details.length === 1 && concerned.length > 1;
  if (shared) {
    const [detail = null] = details;
    const ofErased = concerned.some((offset) => inBitmap(erased.offsets, offset));
    // One detail for many messages tells of none of them, unless it holds what may be a recipient.
    const tells = detail !== null && ofErased && mayNamePerson(detail);
    return quotes(detail) || tells ? null : details;
  }
  return withoutErased(details, offsets, erased).map((detail) => (quotes(detail) ? null : detail));
}

/** `texts` hold one for each message of `offsets`, in their order. */
function withoutErased(
  texts: readonly (string | null)[],
  offsets: Bitmap | null,
  erased: ErasedMessages,
): (string | null)[] {
  const concerned = offsetsOf(offsets, erased.count);
  return texts.map((text, index) => (inBitmap(erased.offsets, concerned[index]!) ? null : text));
}
