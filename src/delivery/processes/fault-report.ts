import { faultWarning } from '../../observe/fault-limit.ts';
import type { Logger } from '../../observe/log.ts';
import { DatabaseError } from '../../store/database.ts';

/** Logs faults without flooding, and counts those of the database by kind. */
export class FaultReport {
  readonly #warn: (error: unknown) => void;
  #byKind: Record<string, number> = {};

  constructor(log: Logger) {
    this.#warn = faultWarning(log, 'delivery met a fault and goes on');
  }

  add(error: unknown): void {
    if (error instanceof DatabaseError) {
      const { kind } = error.fault;
      this.#byKind[kind] = (this.#byKind[kind] ?? 0) + 1;
    }
    this.#warn(error);
  }

  /** Faults of the database by kind, since the last call. */
  take(): Record<string, number> {
    const taken = this.#byKind;
    this.#byKind = {};
    return taken;
  }
}
