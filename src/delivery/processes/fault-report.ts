import type { Logger } from '../../observe/log.ts';
import { DatabaseError } from '../../store/database.ts';

/** The same fault is logged once in so long: a database that is away fails every loop and every flush. */
const logEveryMs = 5_000;
/** Different faults remembered at a time. */
const faultsMax = 100;

/** Logs faults without flooding, and counts those of the database by kind. */
export class FaultReport {
  readonly #log: Logger;
  readonly #seen = new Map<string, { atMs: number; silenced: number }>();
  #byKind: Record<string, number> = {};

  constructor(log: Logger) {
    this.#log = log;
  }

  add(error: unknown): void {
    const fault = error instanceof DatabaseError ? error.fault : undefined;
    if (fault) this.#byKind[fault.kind] = (this.#byKind[fault.kind] ?? 0) + 1;
    const name = fault ? `${fault.kind} ${fault.code}` : String((error as Error)?.message).slice(0, 200);
    const nowMs = performance.now();
    const seen = this.#seen.get(name);
    if (seen && nowMs - seen.atMs < logEveryMs) {
      seen.silenced++;
      return;
    }
    if (this.#seen.size >= faultsMax) this.#seen.clear();
    this.#seen.set(name, { atMs: nowMs, silenced: 0 });
    const silenced = seen?.silenced ?? 0;
    this.#log.warn({ err: error, ...(silenced > 0 && { silenced }) }, 'delivery met a fault and goes on');
  }

  /** Faults of the database by kind, since the last call. */
  take(): Record<string, number> {
    const taken = this.#byKind;
    this.#byKind = {};
    return taken;
  }
}
