import { isId, parseId } from './id.ts';

/** A message of the classic API is a chunk, whose id it carries without the hyphens: 32 hexadecimal digits. */
export function classicId(chunkId: string): string {
  return chunkId.replaceAll('-', '');
}

/** Undefined for what cannot be an id of a chunk. */
export function chunkIdOfClassic(id: string): string | undefined {
  const parts = /^([\da-f]{8})([\da-f]{4})([\da-f]{4})([\da-f]{4})([\da-f]{12})$/.exec(id);
  if (!parts) return undefined;
  const chunkId = parts.slice(1).join('-');
  return isId(chunkId) && parseId(chunkId).offset === 0 ? chunkId : undefined;
}
