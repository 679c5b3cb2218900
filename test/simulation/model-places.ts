import { type ModelDatabase, type Session, write } from './model-database.ts';

/**
 * What intake does to `shard_order` (`store/intake/insert-chunks.ts`): takes the next place of a shard, whose row stays
 * locked until the transaction ends. So places are committed in their order, and one that is rolled back is taken anew.
 */
export function takePlace(
  database: ModelDatabase,
  session: Session,
  { shard, taken }: { shard: number; taken: (place: number) => void },
): void {
  const granted = () => {
    const place = (database.places.get(shard) ?? 0) + 1;
    write(session, () => database.places.set(shard, place));
    taken(place);
  };
  database.locks.lock(session, { key: `places ${shard}`, mode: 'exclusive', granted });
}
