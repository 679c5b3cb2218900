import { request } from 'undici';

interface Ledger {
  received: number;
  distinct: number;
  duplicates: number;
  /** What was told later. */
  receipts: { told: number; waiting: number };
}

export async function readLedger(sinkUrl: string): Promise<Ledger> {
  const { body } = await request(new URL('/ledger', sinkUrl));
  return (await body.json()) as Ledger;
}

/** A figure counts only when the sink got every message, and none of them twice. */
export async function checkLedger(sinkUrl: string, expected: number): Promise<void> {
  const { received, distinct, duplicates } = await readLedger(sinkUrl);
  if (distinct !== expected || duplicates !== 0) {
    throw new Error(
      `the sink received ${received} (${distinct} distinct, ${duplicates} again) of ${expected} messages`,
    );
  }
}
