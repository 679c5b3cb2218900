import { AccountPace } from './account-pace.ts';

/** Accounts beyond this are looked through for those of which there is nothing to remember. */
const accountsKept = 1_000;

/** What accounts that have a limit may send, each over all its routes. */
export class AccountPaces {
  readonly #rateOf: (accountId: number) => number | undefined;
  readonly #paces = new Map<number, AccountPace>();
  #pruneAt = accountsKept;

  /** `rateOf`: messages a second that this worker may send for an account; undefined for no limit. */
  constructor(rateOf: (accountId: number) => number | undefined) {
    this.#rateOf = rateOf;
  }

  /** Accounts in memory. */
  get kept(): number {
    return this.#paces.size;
  }

  /** Undefined for an account without a limit. */
  of(accountId: number, nowMs: number): AccountPace | undefined {
    const present = this.#paces.get(accountId);
    if (present !== undefined) return present;
    const ratePerSecond = this.#rateOf(accountId);
    if (ratePerSecond === undefined) return undefined;
    this.#prune(nowMs);
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
  /** Costs a look at each account once in so many new ones. */
  #prune(nowMs: number): void {
    if (this.#paces.size < this.#pruneAt) return;
    for (const [accountId, pace] of this.#paces) if (pace.isIdle(nowMs)) this.#paces.delete(accountId);
    this.#pruneAt = this.#paces.size + accountsKept;
  }
}
