import { bloomBits, bloomLengths, bloomPositions } from '../../message/bloom.ts';
import type { Queryable } from '../database.ts';

export interface ChunkSearch {
  accountId: number;
  kind: 'to' | 'ref';
  /** Of the value as it is looked up. */
  hash: bigint;
  /** Chunks with an id from here on, and before `to`. */
  from: string;
  to: string;
  limit: number;
}

/**
 * Chunks whose filter may hold a hash, newest first. The positions come as one flat list, `bloomBits` for
 * each length. CASE, because get_bit fails past the end of a filter and AND promises no order.
 * The index is read backwards, so that a search ends where its page is full.
 */
const searchFilters = {
  to: { name: 'search_to_filters', text: filterSearch('to_bits') },
  ref: { name: 'search_ref_filters', text: filterSearch('ref_bits') },
};

function filterSearch(column: string): string {
  const cases = bloomLengths.map((length, index) => {
    const bits = Array.from(
      { length: bloomBits },
      (_, round) => `get_bit(${column}, $${5 + index * bloomBits + round}) = 1`,
    );
    return `WHEN ${length} THEN ${bits.join(' AND ')}`;
  });
  // The longest filter is the flood's: it is met first.
  return `
    SELECT chunk_id AS id FROM chunk_filter
     WHERE account_id = $1 AND chunk_id >= $2 AND chunk_id < $3
       AND CASE octet_length(${column}) ${cases.reverse().join('\n ')} ELSE false END
     ORDER BY chunk_id DESC LIMIT $4`;
}

const searchKeysStatement = {
  name: 'search_message_keys',
  text: `
    SELECT chunk_id AS id FROM message_key
     WHERE account_id = $1 AND hash = $2 AND chunk_id >= $3 AND chunk_id < $4
     ORDER BY chunk_id DESC LIMIT $5`,
};

/** Chunks of one message. The hash is the account's own, so that of another account is met as rarely as any. */
const searchSingles = {
  to: { name: 'search_to_singles', text: singleSearch('to_hash') },
  ref: { name: 'search_ref_singles', text: singleSearch('ref_hash') },
};

function singleSearch(column: string): string {
  return `
    SELECT id FROM chunk
     WHERE ${column} = $2 AND account_id = $1 AND id >= $3 AND id < $4
     ORDER BY id DESC LIMIT $5`;
}

export interface ChunkCandidate {
  id: string;
  /** It has a filter, and so many messages; else it has a few. */
  large: boolean;
}

/**
 * The newest `limit` chunks that may hold a value, newest first: large ones by their filters, small ones by
 * their hashed keys, those of one message by the hashes that they carry.
 */
export async function searchChunks(database: Queryable, search: ChunkSearch): Promise<ChunkCandidate[]> {
  const { accountId, kind, hash, from, to, limit } = search;
  const positions = bloomLengths.flatMap((length) => bloomPositions(hash, length));
  const [large, small, single] = await Promise.all([
    database.query<{ id: string }>(searchFilters[kind], [accountId, from, to, limit, ...positions]),
    database.query<{ id: string }>(searchKeysStatement, [accountId, hash, from, to, limit]),
    database.query<{ id: string }>(searchSingles[kind], [accountId, hash, from, to, limit]),
  ]);
  const found = [
    ...large.rows.map(({ id }) => ({ id, large: true })),
    ...[...small.rows, ...single.rows].map(({ id }) => ({ id, large: false })),
  ];
  return found.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit);
}
