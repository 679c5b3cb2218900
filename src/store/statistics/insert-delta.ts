import type { Call } from '../database.ts';

/** What one transaction adds to statistics: as `SeriesTallies` encodes it, with ages in ms for times. */
export interface DeltaInsert {
  /** Its key on its shard, as text: the `seq` of an outcome, or below zero and drawn at random. */
  id: string;
  /** How long before the transaction the ages in it were told. */
  agoMs: number;
  entries: string;
}

/** Partitions of `statistics_delta`, and how long each is written to. */
export const deltaSlots = 3;
const slotSeconds = 600;

/** The partition that is written to now. */
export const deltaSlot = `(floor(extract(epoch FROM now()) / ${slotSeconds})::bigint % ${deltaSlots})::smallint`;

const deltaStatement = {
  name: 'insert_statistics_delta',
  text: `INSERT INTO statistics_delta (shard, id, slot, at, entries)
    VALUES ($1::smallint, $2::bigint, ${deltaSlot}, now() - $3::float8 * interval '1 millisecond', $4::text)`,
};

/** To be made in the transaction that brings about what it counts. */
export function deltaCall(shard: number, { id, agoMs, entries }: DeltaInsert): Call {
  return { statement: deltaStatement, values: [shard, id, agoMs, entries] };
}
