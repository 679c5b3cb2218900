/** A transaction, as its locks see it. */
export interface LockHolder {
  ended: boolean;
  readonly held: Set<RowLock>;
}

type Mode = 'share' | 'exclusive';

interface RowLock {
  key: string;
  sharers: Set<LockHolder>;
  owner: LockHolder | undefined;
  waiting: { holder: LockHolder; mode: Mode; granted: () => void }[];
}

/**
 * Row locks as PostgreSQL has them: many may share a row (FOR SHARE), one may change it or have inserted its key,
 * and a lock is held until its transaction ends. As there, a sharer does not queue behind a writer that waits.
 */
export class ModelLocks {
  readonly #rows = new Map<string, RowLock>();

  /** Calls `granted` at once, or when those that hold the row have ended. Never for a transaction that ended. */
  lock(holder: LockHolder, request: { key: string; mode: Mode; granted: () => void }): void {
    const { key, mode, granted } = request;
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = { key, sharers: new Set(), owner: undefined, waiting: [] };
      this.#rows.set(key, row);
    }
    if (take(row, holder, mode)) granted();
    else row.waiting.push({ holder, mode, granted });
  }

  /** Whether a transaction waits for a row of another. */
  get contended(): boolean {
    for (const { waiting } of this.#rows.values()) if (waiting.length > 0) return true;
    return false;
  }

  /** The transaction has ended: those that wait for its rows go on, the first come first. */
  release(holder: LockHolder): void {
    holder.ended = true;
    for (const row of holder.held) {
      row.sharers.delete(holder);
      if (row.owner === holder) row.owner = undefined;
      const waiting = row.waiting;
      row.waiting = [];
      const granted = [];
      for (const request of waiting) {
        if (request.holder.ended) continue;
        if (take(row, request.holder, request.mode)) granted.push(request);
        else row.waiting.push(request);
      }
      if (row.owner === undefined && row.sharers.size === 0 && row.waiting.length === 0) {
        this.#rows.delete(row.key);
      }
      // Only now that the row is as it will be: a statement that goes on may commit at once, and release the row again.
      for (const request of granted) if (!request.holder.ended) request.granted();
    }
  }
}

function take(row: RowLock, holder: LockHolder, mode: Mode): boolean {
  if (row.owner !== undefined && row.owner !== holder) return false;
  if (mode === 'share') {
    row.sharers.add(holder);
  } else {
    for (const sharer of row.sharers) if (sharer !== holder) return false;
    row.owner = holder;
  }
  holder.held.add(row);
  return true;
}
