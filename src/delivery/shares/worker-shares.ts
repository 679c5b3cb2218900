import type { Clock } from '../../lib/clock.ts';
import type { Lane } from '../backlog/lane.ts';
import type { DeliveryControl } from '../delivery-control.ts';
import type { PaceStore } from '../delivery-store.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { AccountPace } from '../pace/account-pace.ts';
import { AccountPaces } from '../pace/account-paces.ts';
import type { RouteRunners } from '../sending/route-runners.ts';
import { PaceShares } from './pace-shares.ts';
import { allElse } from './plan-grants.ts';
import { ShareDemand } from './share-demand.ts';
import { accountKey, sharedLimit } from './share-keys.ts';

export interface WorkerSharesSettings {
  store: PaceStore;
  clock: Clock;
  control: DeliveryControl;
  ownership: Ownership;
  runners: RouteRunners;
  lanes: () => Iterable<Lane>;
  /** Shares are other ones now. */
  onChange: () => void;
}

/** The owner of this shard divides rates and connections between the workers. */
export const leadingShard = 0;

/** What this worker may send of all that workers share, as its routes, accounts and lanes need it. */
export class WorkerShares {
  readonly #settings: WorkerSharesSettings;
  readonly #accounts: AccountPaces;
  readonly #shares: PaceShares;

  constructor(settings: WorkerSharesSettings) {
    this.#settings = settings;
    const { store, clock, control, ownership, runners, lanes, onChange } = settings;
    this.#accounts = new AccountPaces((accountId) => {
      const { ratePerSecond } = control.accountById(accountId)?.limits ?? {};
      return ratePerSecond && ratePerSecond * this.shareOf(accountKey(accountId));
    });
    const demand = new ShareDemand({
      control,
      clock,
      couldSend: (lane) => runners.of(lane).couldSend(lane),
      roomFor: (lane) => runners.of(lane).roomFor(lane),
      equalPart: () => this.shareOf(allElse),
    });
    this.#shares = new PaceShares({
      store,
      clock,
      workerId: () => ownership.workerId,
      leadingEpoch: () => ownership.tenures.get(leadingShard)?.epoch,
      isAlone: () => ownership.isAlone,
      demand: () =>
        demand.turn({ routes: runners.takeUses(), accounts: this.#accounts.takeUses(), lanes: lanes() }),
      inUse: () => Object.fromEntries(runners.inUse()),
      limitOf: (key) => sharedLimit(key, control),
      onChange,
    });
  }

  /** From 0 to 1. */
  shareOf(key: string): number {
    return this.#shares.shareOf(key);
  }

  /** How fast the messages of an account may leave, over all routes; undefined for no limit. */
  accountPace(accountId: number, nowMs: number): AccountPace | undefined {
    return this.#accounts.of(accountId, nowMs);
  }

  /** Limits, or this worker's shares of them, are other ones now. */
  change(): void {
    this.#accounts.change(this.#settings.clock.monotonicMs());
    this.#settings.runners.change();
  }

  noteWorkerId(): void {
    this.#shares.noteWorkerId();
  }

  runOnce(): Promise<void> {
    return this.#shares.runOnce();
  }

  /** Nothing begins any more; to be called again while requests are answered. */
  leave(): Promise<void> {
    return this.#shares.leave();
  }
}
