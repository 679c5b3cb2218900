import { type ConsistencyToken, joinTokens, parseToken, tokenText } from '../lib/log-position.ts';

/**
 * The newest place of what this client wrote, for its reads to carry. A write whose answer was lost may have been done
 * nobody knows where: then the reads after it ask for certainty (`unknown`), until a write that was begun later tells
 * a place, which is behind everything before it.
 */
export interface ConsistencyMemory {
  /** What a read is to carry; undefined before the first write. */
  token(): string | undefined;
  /** Before a write leaves; to be called with the token of its answer, or `unknown` where none came. */
  beginWrite(): (token: string) => void;
}

export function createConsistencyMemory(): ConsistencyMemory {
  let remembered: ConsistencyToken | undefined;
  let steps = 0;
  let unknownSince = 0;
  return {
    token: () => remembered && tokenText(remembered),
    beginWrite() {
      const begunAt = ++steps;
      return (text) => {
        // What a later version may send is as good as no place.
        const told = parseToken(text) ?? 'unknown';
        if (told === 'unknown') unknownSince = ++steps;
        const replaces = remembered === undefined || told === 'unknown';
        const settles = remembered === 'unknown' && begunAt > unknownSince;
        remembered = replaces || settles ? told : joinTokens(remembered!, told);
      };
    },
  };
}
