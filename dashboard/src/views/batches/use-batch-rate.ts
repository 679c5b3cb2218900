import { useRef } from 'preact/hooks';
import type { Batch } from '../../api/shapes.ts';
import { endedOf } from '../../parts/progress.tsx';

/** Over so long a rate is taken. */
const windowMs = 15_000;
const shortestMs = 1_500;

/** How many messages a second came to their end lately; null before that can be told. */
export function useBatchRate({ id, counts }: Pick<Batch, 'id' | 'counts'>): number | null {
  const looks = useRef<{ id: string; atMs: number; ended: number }[]>([]);
  const ended = endedOf(counts);
  const atMs = performance.now();
  const last = looks.current.at(-1);
  if (last?.id !== id) looks.current = [];
  if (last === undefined || last.id !== id || last.ended !== ended || atMs - last.atMs > shortestMs) {
    looks.current.push({ id, atMs, ended });
  }
  looks.current = looks.current.filter((look) => atMs - look.atMs <= windowMs);
  const first = looks.current[0];
  const newest = looks.current.at(-1);
  if (!first || !newest || newest.atMs - first.atMs < shortestMs) return null;
  return Math.max(0, (1_000 * (newest.ended - first.ended)) / (newest.atMs - first.atMs));
}
