import { setTimeout as sleep } from 'node:timers/promises';
import { shardOf } from '../../src/message/id.ts';
import type { Books } from './books.ts';
import { type Installation, leaseMs, type ProcessName, type RouteName, routeNames } from './installation.ts';
import type { SinkWatch } from './sink-watch.ts';

export type FaultKind =
  | 'kill worker'
  | 'kill api'
  | 'kill postmaster'
  | 'kill backend'
  | 'suspend worker'
  | 'cut database'
  | 'cut sinks';

/** One thing that was done to the installation, and what was open at that moment. */
export interface Fault {
  kind: FaultKind;
  /** The process that it hit, where it hit one. */
  of: string;
  beganAt: number;
  /** When it was over: the process back, the database answering, the suspended one awake. */
  endedAt: number;
  /** Shards whose messages it can have touched; undefined for all of them. */
  shards: ReadonlySet<number> | undefined;
  /** When the ledgers were read. */
  readAt: number;
  /** Messages handed over by then and not recorded, by route. */
  handedOver: Record<RouteName, ReadonlySet<string>>;
  /** Messages of `hold` that were marked as in flight. */
  marked: ReadonlySet<string>;
}

export interface FaultSettings {
  installation: Installation;
  books: Books;
  sinks: Record<RouteName, SinkWatch>;
  random: () => number;
}

/** A process that was killed or stopped: the shards that it had, and where its connections come from. */
interface HitProcess {
  pid: number;
  had: ReadonlySet<number>;
  ports: number[];
}

/** What was on its way at a fault has arrived by then: through two loopback sockets, a proxy, and a busy machine. */
export const arrivalsSettleMs = 250;
/** A suspension lasts this many leases: sometimes the shards are kept, mostly they are taken. */
const suspendedLeases = { min: 0.8, max: 2 };
const reviveWithinMs = 800;
/** A worker that is to be hit sends by then, unless the machine is too busy: a start and a lease take less. */
const sendsWithinMs = 8_000;
/** A worker sends if a message of its shards arrived within this time, at the route whose requests are short and many. */
const sentWithinMs = 200;
const pollMs = 50;

const weights: Record<FaultKind, number> = {
  'kill worker': 40,
  'kill api': 15,
  'kill postmaster': 10,
  'kill backend': 10,
  'suspend worker': 8,
  'cut database': 10,
  'cut sinks': 10,
};

const kinds = Object.keys(weights) as FaultKind[];

export function isKill({ kind }: Pick<Fault, 'kind'>): boolean {
  return kind.startsWith('kill');
}

/** Each kind once, so that a short run meets every one, and then as often as it weighs, in any order. */
export function drawFaults(
  { kills, without }: { kills: number; without: readonly FaultKind[] },
  random: () => number,
): FaultKind[] {
  const wanted = kinds.filter((kind) => !without.includes(kind));
  const drawn: FaultKind[] = [...wanted];
  const deck = wanted.flatMap((kind) => Array<FaultKind>(weights[kind]).fill(kind));
  while (drawn.filter((kind) => isKill({ kind })).length < kills) {
    drawn.push(deck[Math.floor(random() * deck.length)]!);
  }
  for (let index = drawn.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [drawn[index], drawn[other]] = [drawn[other]!, drawn[index]!];
  }
  return drawn;
}

/** Does the faults one after another, and asks the sinks and the database at each what was open. */
export class Faults {
  readonly #settings: FaultSettings;

  constructor(settings: FaultSettings) {
    this.#settings = settings;
  }

  async commit(kind: FaultKind): Promise<Fault> {
    const worker: ProcessName = this.#settings.random() < 0.5 ? 'worker-1' : 'worker-2';
    switch (kind) {
      case 'kill worker':
      case 'kill api':
        return this.#killProcess(kind, kind === 'kill api' ? 'api' : worker);
      case 'kill postmaster':
      case 'kill backend':
        return this.#killDatabase(kind);
      case 'suspend worker':
        return this.#suspend(worker);
      case 'cut database':
      case 'cut sinks':
        return this.#cut(kind);
    }
  }

  async #killProcess(kind: FaultKind, name: ProcessName): Promise<Fault> {
    const { installation, random } = this.#settings;
    const pid = installation.pidOf(name)!;
    const had = kind === 'kill worker' ? await this.#shardsOnceSending(pid) : new Set<number>();
    const ports = installation.databasePorts(name);
    const beganAt = Date.now();
    await installation.kill(name);
    const open = await this.#whatIsOpen({ beganAt, hit: { pid, had, ports } });
    await sleep(random() * reviveWithinMs);
    await installation.revive(name);
    return { kind, of: name, beganAt, endedAt: Date.now(), ...open };
  }

  /** Waits until a worker sends and so has something to lose, or for as long as that may take; answers its shards. */
  async #shardsOnceSending(pid: number): Promise<Set<number>> {
    const { books, sinks } = this.#settings;
    const deadline = performance.now() + sendsWithinMs;
    for (;;) {
      const shards = await books.shardsOf(pid);
      await sinks.resend.pull();
      const sends = sinks.resend.hasUnrecordedSince(Date.now() - sentWithinMs, (id) =>
        shards.has(shardOf(id)),
      );
      if (sends || performance.now() > deadline) return shards;
      await sleep(pollMs);
    }
  }

  async #killDatabase(kind: FaultKind): Promise<Fault> {
    const { installation, books, random } = this.#settings;
    let beganAt = Date.now();
    let of = 'PostgreSQL';
    if (kind === 'kill postmaster') {
      process.kill(await installation.postmasterPid(), 'SIGKILL');
    } else {
      const pids = await books.backendPids();
      const pid = pids[Math.floor(random() * pids.length)];
      if (pid === undefined) throw new Error('no server is connected to the database');
      beganAt = Date.now();
      process.kill(pid, 'SIGKILL');
      of = `a connection of ${pids.length}`;
    }
    const open = await this.#whatIsOpen({ beganAt });
    await books.databaseIsBack();
    return { kind, of, beganAt, endedAt: Date.now(), ...open };
  }

  async #suspend(name: ProcessName): Promise<Fault> {
    const { installation, random } = this.#settings;
    const pid = installation.pidOf(name)!;
    const had = await this.#shardsOnceSending(pid);
    const beganAt = Date.now();
    installation.signal(name, 'SIGSTOP');
    const open = await this.#whatIsOpen({
      beganAt,
      hit: { pid, had, ports: installation.databasePorts(name) },
    });
    const { min, max } = suspendedLeases;
    await sleep(leaseMs * (min + random() * (max - min)));
    installation.signal(name, 'SIGCONT');
    return { kind: 'suspend worker', of: name, beganAt, endedAt: Date.now(), ...open };
  }

  async #cut(kind: FaultKind): Promise<Fault> {
    const { installation, random } = this.#settings;
    const beganAt = Date.now();
    const names: ProcessName[] = ['api', 'worker-1', 'worker-2'];
    const name = names[Math.floor(random() * names.length)]!;
    const count = kind === 'cut sinks' ? installation.cutSinks() : installation.cutDatabase(name);
    const open = await this.#whatIsOpen({ beganAt });
    const of = kind === 'cut sinks' ? `${count} connections` : `${name}, ${count} connections`;
    return { kind, of, beganAt, endedAt: Date.now(), ...open };
  }

  /** Read at once after a fault; while the database is away, when it is back. */
  async #whatIsOpen({ beganAt, hit }: { beganAt: number; hit?: HitProcess }) {
    const { books, sinks } = this.#settings;
    await sleep(arrivalsSettleMs);
    const shards = hit && (await this.#shardsOf(hit));
    const touched = (id: string) => shards === undefined || shards.has(shardOf(id));
    const handedOver = {} as Record<RouteName, Set<string>>;
    for (const route of routeNames) await sinks[route].pull();
    const readAt = Date.now();
    const marked = await books.inFlightOrUncertainSince(new Date(beganAt));
    for (const route of routeNames) {
      const open = sinks[route].unrecorded;
      for (const id of await books.recordedOf(open)) open.delete(id);
      handedOver[route] = new Set([...open].filter(touched));
    }
    return { readAt, shards, handedOver, marked: new Set([...marked].filter(touched)) };
  }

  /** A claim that was under way is executed all the same. */
  async #shardsOf({ pid, had, ports }: HitProcess): Promise<Set<number>> {
    const { books } = this.#settings;
    await books.atRest(ports);
    return new Set([...had, ...(await books.shardsOf(pid))]);
  }
}
