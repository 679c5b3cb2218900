import { request } from 'undici';

/** A figure counts only when the sink got every message, and none of them twice. */
export async function checkLedger(sinkUrl: string, expected: number): Promise<void> {
  const { body } = await request(new URL('/ledger', sinkUrl));
  const { received, distinct, duplicates } = (await body.json()) as Record<string, number>;
  if (distinct !== expected || duplicates !== 0) {
    throw new Error(
      `the sink received ${received} (${distinct} distinct, ${duplicates} again) of ${expected} messages`,
    );
  }
}
