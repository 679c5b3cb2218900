import { AccountPace } from './account-pace.ts';

/** What accounts that have a limit may send, each over all its routes. */
export class AccountPaces {
  readonly #rateOf: (accountId: number) => number | undefined;
  readonly #paces = new Map<number, AccountPace>();

  /** `rateOf`: messages a second that this worker may send for an account; undefined for no limit. */
  constructor(rateOf: (accountId: number) => number | undefined) {
    this.#rateOf = rateOf;
  }

  /** Undefined for an account without a limit. */
  of(accountId: number, nowMs: number): AccountPace | undefined {
    const present = this.#paces.get(accountId);
    if (present !== undefined) return present;
    const ratePerSecond = this.#rateOf(accountId);
    if (ratePerSecond === undefined) return undefined;
    const pace = new AccountPace(nowMs);
    pace.change(ratePerSecond, nowMs);
    this.#paces.set(accountId, pace);
    return pace;
  }

  /** By account, messages since the last call. */
  *takeUses(): Generator<[number, number]> {
    for (const [accountId, pace] of this.#paces) yield [accountId, pace.takeUse()];
  }

  /** Limits, or the worker's shares of them, are other ones now. */
  change(nowMs: number): void {
    for (const [accountId, pace] of this.#paces) {
      const ratePerSecond = this.#rateOf(accountId);
      if (ratePerSecond === undefined) this.#paces.delete(accountId);
      else pace.change(ratePerSecond, nowMs);
    }
  }
}
