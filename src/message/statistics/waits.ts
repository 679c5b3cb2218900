/**
 * How long things took, by fixed buckets, so that any number of them can be added together: two for each doubling from 1 ms on.
 * Bucket 0 holds up to 1 ms, bucket n above 0 more than 2^((n-1)/2) and up to 2^(n/2) ms, the last one (2^31 ms, 24 days) all beyond.
 */
export type Waits = Map<number, number>;

const bucketsPerDoubling = 2;
const bucketLast = 31 * bucketsPerDoubling;

export function waitBucketOf(ms: number): number {
  if (ms <= 1) return 0;
  return Math.min(bucketLast, Math.ceil(Math.log2(ms) * bucketsPerDoubling));
}

export function addWaits(sum: Waits, more: Waits): void {
  for (const [bucket, count] of more) sum.set(bucket, (sum.get(bucket) ?? 0) + count);
}

export function countOf(waits: Waits): number {
  let count = 0;
  for (const some of waits.values()) count += some;
  return count;
}

/**
 * The wait that so large a part of them did not exceed, in ms; null of none. Found within its bucket by interpolation, so it
 * differs from the true one by less than the bucket is wide: a factor of √2 at most, above 1 ms.
 */
export function percentile(waits: Waits, part: number): number | null {
  const count = countOf(waits);
  if (count === 0) return null;
  let left = part * count;
  const buckets = [...waits].sort(([a], [b]) => a - b);
  for (const [bucket, some] of buckets) {
    if (some >= left && some > 0) return boundBelow(bucket) + (width(bucket) * left) / some;
    left -= some;
  }
  return boundAbove(buckets.at(-1)![0]);
}

function boundAbove(bucket: number): number {
  return 2 ** (bucket / bucketsPerDoubling);
}

function boundBelow(bucket: number): number {
  return bucket === 0 ? 0 : boundAbove(bucket - 1);
}

function width(bucket: number): number {
  return boundAbove(bucket) - boundBelow(bucket);
}

/** As it is stored: `13:500,14:20`. */
export function waitsText(waits: Waits): string {
  return [...waits]
    .sort(([a], [b]) => a - b)
    .map(([bucket, count]) => `${bucket}:${count}`)
    .join(',');
}

/** Of one text, or of several with commas between. */
export function parseWaits(text: string): Waits {
  const waits: Waits = new Map();
  if (text === '') return waits;
  for (const entry of text.split(',')) {
    const colon = entry.indexOf(':');
    const bucket = Number(entry.slice(0, colon));
    waits.set(bucket, (waits.get(bucket) ?? 0) + Number(entry.slice(colon + 1)));
  }
  return waits;
}
