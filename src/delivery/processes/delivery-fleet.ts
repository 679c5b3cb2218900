import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../../lib/clock.ts';
import { inBitmap } from '../../message/bitmap.ts';
import { limits } from '../../message/limits.ts';
import type { PoolState } from '../../observe/figures/database-figures.ts';
import type { Hint } from '../backlog/hint.ts';
import { type DeliveryHost, type DeliveryHostSettings, startDelivery } from './delivery-host.ts';
import { startDeliveryProcess } from './delivery-process.ts';
import type { DeliveryReport } from './delivery-protocol.ts';
import { type DeliveryMetrics, DeliveryTally } from './delivery-tally.ts';

export interface DeliveryFleetSettings extends Omit<DeliveryHostSettings, 'onReport'> {
  clock: Clock;
  metrics: DeliveryMetrics;
  /** Processes that deliver, this one included. */
  processes: number;
  spawn: () => ChildProcess;
}

/** Several as one. */
export interface DeliveryFleet extends DeliveryHost {
  /** A worker of this server is: callbacks and receipts give way. */
  readonly isBusyWithMessages: boolean;
  /** How the connections of all of them are used. */
  pools(): PoolState[];
}

/**
 * The deliveries of one server: a thread of this process, and the further processes that it keeps running. Each
 * is a worker with shards of its own; hints go to the one that has the shard. Rejects when one cannot begin.
 */
export async function startDeliveryFleet(settings: DeliveryFleetSettings): Promise<DeliveryFleet> {
  const { clock, spawn, onFailure, processes } = settings;
  const fleet = new Fleet(settings.metrics);
  const joining = Array.from({ length: processes }, (_, member) => {
    const onReport = (report: DeliveryReport) => fleet.take(member, report);
    if (member === 0) {
      const onDeath = (error: unknown) => {
        onFailure(error);
        // The next thread tells of itself as soon as it delivers.
        fleet.drop(member, undefined);
      };
      const observe = settings.observe && { ...settings.observe, logRoutes: true };
      return startDelivery({ ...settings, ...(observe && { observe }), onReport, onFailure: onDeath });
    }
    return startDeliveryProcess({
      clock,
      spawn,
      onReport,
      onDeath({ error, workerId }) {
        onFailure(error);
        fleet.drop(member, workerId);
      },
    });
  });
  const results = await Promise.allSettled(
    joining.map(async (host, member) => fleet.join(member, await host)),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return fleet;
  await fleet.stop({ deadlineMs: 0 });
  throw failed.reason;
}

class Fleet implements DeliveryFleet {
  readonly #tally: DeliveryTally;
  readonly #hosts = new Map<number, DeliveryHost>();
  /** By shard, the member that said last that it has it. */
  readonly #holders: (number | undefined)[] = new Array(limits.shards).fill(undefined);

  constructor(metrics: DeliveryMetrics) {
    this.#tally = new DeliveryTally(metrics);
  }

  get isBusyWithMessages(): boolean {
    return this.#tally.isBusyWithMessages;
  }

  join(member: number, host: DeliveryHost): void {
    this.#hosts.set(member, host);
  }

  take(member: number, report: DeliveryReport): void {
    this.#tally.take(member, report);
    for (let shard = 0; shard < limits.shards; shard++) {
      if (inBitmap(report.held, shard)) this.#holders[shard] = member;
      else if (this.#holders[shard] === member) this.#holders[shard] = undefined;
    }
  }

  /** The member has died: its shards are free, and this process's own worker makes that known at once. */
  drop(member: number, workerId: string | undefined): void {
    this.#tally.drop(member);
    for (const [shard, holder] of this.#holders.entries()) {
      if (holder === member) this.#holders[shard] = undefined;
    }
    if (workerId !== undefined) this.#hosts.get(0)?.remove(workerId);
  }

  pools(): PoolState[] {
    return this.#tally.pools();
  }

  push(hints: Hint[]): void {
    if (this.#hosts.size === 1) {
      this.#hosts.get(0)?.push(hints);
      return;
    }
    const byHolder = new Map<number, Hint[]>();
    for (const hint of hints) {
      const holder = this.#holders[hint.shard];
      // Of a shard on the move nobody knows; its new owner finds the chunk by reading.
      if (holder === undefined) continue;
      const group = byHolder.get(holder);
      if (group) group.push(hint);
      else byHolder.set(holder, [hint]);
    }
    for (const [holder, group] of byHolder) this.#hosts.get(holder)?.push(group);
  }

  released(batch: string): void {
    for (const host of this.#hosts.values()) host.released(batch);
  }

  remove(workerId: string): void {
    this.#hosts.get(0)?.remove(workerId);
  }

  async stop(settings: { deadlineMs: number }): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.stop(settings)));
  }
}
