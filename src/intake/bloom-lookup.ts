import { bloomFilter } from '../message/bloom.ts';

/** The filters of a chunk whose hashes were gathered one by one. */
export function bloomLookup({
  toHashes,
  refHashes,
}: {
  toHashes: readonly bigint[];
  refHashes: readonly bigint[];
}): { toBits: Uint8Array; refBits?: Uint8Array } {
  return { toBits: filterOf(toHashes), ...(refHashes.length > 0 && { refBits: filterOf(refHashes) }) };
}

function filterOf(hashes: readonly bigint[]): Uint8Array {
  const halves = new Uint32Array(2 * hashes.length);
  for (const [index, hash] of hashes.entries()) {
    halves[2 * index] = Number(BigInt.asUintN(32, hash >> 32n));
    halves[2 * index + 1] = Number(BigInt.asUintN(32, hash));
  }
  return bloomFilter(halves, hashes.length);
}
