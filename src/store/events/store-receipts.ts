import type { Call, Database } from '../database.ts';
import { insertCalls } from '../multi-row.ts';

/** What shares a row of `receipt`: receipts of one route in a codec of chunks. */
export interface ReceiptRow {
  id: string;
  routeId: number;
  count: number;
  codec: number;
  payload: Uint8Array;
}

/** Stores what came together, on one shard and in one transaction. */
export async function storeReceipts(
  database: Database,
  { shard, rows }: { shard: number; rows: readonly ReceiptRow[] },
): Promise<void> {
  await database.transactionOf([...receiptCalls(shard, rows)]);
}

function receiptCalls(shard: number, rows: readonly ReceiptRow[]): Generator<Call> {
  return insertCalls({
    name: 'insert_receipts',
    into: 'INSERT INTO receipt (shard, id, route_id, count, codec, payload)',
    rows: rows.map(({ id, routeId, count, codec, payload }) => [shard, id, routeId, count, codec, payload]),
  });
}
