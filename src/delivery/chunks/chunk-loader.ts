import { Fifo } from '../../lib/fifo.ts';
import { countInBitmap } from '../../message/bitmap.ts';
import { lineRecipient } from '../../message/line-recipient.ts';
import { isInteractive, type Lane, laneName } from '../backlog/lane.ts';
import type { PendingChunk } from '../backlog/pending-chunk.ts';
import type { Suppressed, Suppressions } from '../suppressions/suppressions.ts';
import { isAtRest } from './at-rest.ts';
import { ChunkReader, type ChunkReaderSettings, type ChunksRead } from './chunk-reader.ts';
import type { ChunkWork } from './chunk-work.ts';
import { inOrderOfLeaving, isIdle } from './order-of-leaving.ts';

export interface ChunkLoaderSettings extends ChunkReaderSettings {
  /** Messages that a lane should have loaded and unsent, 0 for one that cannot send. */
  readyWanted: (lane: Lane) => number;
  dropStored: (chunk: PendingChunk) => void;
  /** Finds the recipients that get nothing. */
  suppressions: Pick<Suppressions, 'concerns' | 'check'>;
  onLoaded: (work: ChunkWork) => void;
  /** A chunk that stayed for what is due soon must leave: there is no room. */
  onCrowded: (work: ChunkWork) => void;
  /** The lane's route can take nothing at the moment. */
  isStuck: (lane: Lane) => boolean;
  /** The window of the lane's route is closed: nothing of it is to stay in memory. */
  isClosed: (lane: Lane) => boolean;
}

/** Bytes of loaded messages at most, about. Beyond it, chunks of routes that cannot send give way. */
export const loadedBytesMax = 32 * 1_048_576;
/** Below it, what had to leave memory comes back: so much lower that it does not push out the next. */
const returnBytes = (loadedBytesMax / 4) * 3;
/** A bulk lane that has nothing left in memory waits so long for that, before it pushes others out. */
const displacedMs = 5_000;
/** Reads at the same time. */
const readsMax = 2;
/** Chunks and messages of one read. */
const readChunksMax = 256;
const readMessagesMax = 8_000;
/** Wait after a read that failed. */
const retryMs = 250;

/** Of what is to be sent: what was found of its recipients, and since when what is added must be followed. */
interface ChunksChecked {
  checkedAtMs: number;
  suppressed: Suppressed;
  /** Lines of chunks whose recipients were looked up. */
  lines: ReadonlyMap<string, string[]>;
}

const noneSuppressed = { suppressed: new Map(), lines: new Map() };

/** Brings the messages of due chunks into memory, for the lanes that can send them, within a bound. */
export class ChunkLoader {
  readonly #settings: ChunkLoaderSettings;
  readonly #reader: ChunkReader;
  readonly #interactive = new Fifo<Lane>();
  readonly #bulk = new Fifo<Lane>();
  readonly #loaded = new Set<ChunkWork>();
  /** Lanes with chunks that were displaced. */
  readonly #displacedLanes = new Set<Lane>();
  #loadedBytes = 0;
  #reads = 0;
  #scheduled = false;

  constructor(settings: ChunkLoaderSettings) {
    this.#settings = settings;
    this.#reader = new ChunkReader(settings);
  }

  get loadedChunks(): number {
    return this.#loaded.size;
  }

  get loadedBytes(): number {
    return this.#loadedBytes;
  }

  /** The chunks in memory. */
  loaded(): Iterable<ChunkWork> {
    return this.#loaded;
  }

  /** By lane, what has come to its end of the chunks in memory: `pending` counts it until a chunk leaves. */
  settled(): Map<string, number> {
    const byLane = new Map<string, number>();
    for (const { chunk, unsettled } of this.#loaded) {
      const pending = chunk.remaining === null ? chunk.count : countInBitmap(chunk.remaining, chunk.count);
      const name = laneName(chunk.lane.key);
      byLane.set(name, (byLane.get(name) ?? 0) + Math.max(0, pending - unsettled));
    }
    return byLane;
  }

  /** The lane may have room for more, or more to load. */
  want(lane: Lane): void {
    if (lane.wantsLoad || lane.due === 0 || lane.ready >= this.#settings.readyWanted(lane)) return;
    if (!this.#mayLoad(lane)) return;
    lane.wantsLoad = true;
    (isInteractive(lane) ? this.#interactive : this.#bulk).push(lane);
    if (this.#scheduled) return;
    // Once for all the keys that a read or a batch of hints brings.
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** Lanes whose chunks were displaced may go on: there is room by now, they waited long enough, or need not wait. */
  returnDisplaced(): void {
    for (const lane of this.#displacedLanes) {
      lane.displaced.tidy();
      if (lane.displaced.length === 0) this.#displacedLanes.delete(lane);
      this.want(lane);
    }
  }

  /** What waits for the window of its route leaves memory, unrecorded: it is found in its lane's queue when that opens. */
  unloadClosed(): void {
    for (const work of this.#loaded) {
      const { lane } = work.chunk;
      if (isIdle(work) && work.ready + work.aside.count > 0 && this.#settings.isClosed(lane))
        this.#unload(work);
    }
  }

  /** The chunk leaves memory. */
  release(work: ChunkWork): void {
    work.chunk.work = undefined;
    work.aside.clear();
    if (!this.#loaded.delete(work)) return;
    this.#loadedBytes -= work.size;
    work.dropText();
    if (this.#loadedBytes < returnBytes) for (const lane of this.#displacedLanes) this.want(lane);
    this.#pump();
  }

  /** Brings what is recorded of some chunks into memory, without their text: to decide on them. */
  async loadParked(chunks: readonly PendingChunk[]): Promise<ChunkWork[]> {
    const make = await this.#reader.readParked(chunks);
    const works: ChunkWork[] = [];
    for (const chunk of chunks) {
      if (chunk.tenure.state !== 'held') continue;
      this.#settings.dropStored(chunk);
      chunk.place = 'loaded';
      chunk.work = make(chunk);
      works.push(chunk.work);
    }
    return works;
  }

  #pump(): void {
    while (this.#reads < readsMax && this.#interactive.length + this.#bulk.length > 0 && this.#hasRoom()) {
      const chunks = this.#collect();
      if (chunks.length === 0) continue;
      const [complete, others] = split(chunks, (chunk) => this.#isComplete(chunk));
      const read = this.#reader.peek(complete);
      if (read) this.#place(complete, read, this.#unchecked());
      else others.push(...complete);
      if (others.length > 0) void this.#read(others);
    }
  }

  /** Nothing of it has to be read. */
  #isComplete({ stored, fresh, lane }: PendingChunk): boolean {
    return stored !== undefined && fresh && !this.#settings.suppressions.concerns(lane.key.accountId);
  }

  /** Their accounts have no list at this moment. */
  #unchecked(): ChunksChecked {
    return { checkedAtMs: this.#settings.clock.monotonicMs(), ...noneSuppressed };
  }

  async #check(chunks: readonly PendingChunk[], read: ChunksRead): Promise<ChunksChecked> {
    const { suppressions } = this.#settings;
    const unchecked = this.#unchecked();
    const concerned = chunks.filter(({ lane }) => suppressions.concerns(lane.key.accountId));
    if (concerned.length === 0) return unchecked;
    const lines = new Map(concerned.map((chunk) => [chunk.id, this.#reader.linesOf(chunk, read)]));
    const suppressed = await suppressions.check(
      concerned.map(({ id, lane: { key } }) => ({
        ...{ id, accountId: key.accountId },
        recipients: lines.get(id)!.map(lineRecipient),
      })),
    );
    return { ...unchecked, suppressed, lines };
  }

  #hasRoom(): boolean {
    return this.#loadedBytes < loadedBytesMax || this.#evict();
  }

  /** Chunks that stayed for what is due soon leave as soon as that is recorded. */
  #crowdOut(): void {
    let surplusBytes = this.#loadedBytes - loadedBytesMax;
    for (const work of this.#loaded) {
      if (surplusBytes < 0) return;
      if (!work.lingers || !isAtRest(work)) continue;
      work.lingers = false;
      surplusBytes -= work.size;
      this.#settings.onCrowded(work);
    }
  }

  /** What was displaced is read before what follows it, and not so early that it would be displaced again. */
  #mayLoad(lane: Lane): boolean {
    if (lane.displaced.length === 0 || this.#loadedBytes < returnBytes) return true;
    if (lane.aside > 0) return false;
    return isInteractive(lane) || this.#settings.clock.monotonicMs() - lane.displaced.atMs >= displacedMs;
  }

  /** Puts chunks back into their lanes' queues whose routes cannot send: they can be read again. */
  #evict(): boolean {
    for (const work of this.#loaded) {
      if (this.#loadedBytes < loadedBytesMax) return true;
      const { lane } = work.chunk;
      if (!isIdle(work) || work.ready === 0 || !this.#settings.isStuck(lane)) continue;
      if (!lane.isCrowded || work.aside.count === 0) this.#unload(work);
    }
    this.#displace();
    if (this.#loadedBytes < loadedBytesMax) return true;
    this.#crowdOut();
    return false;
  }

  /**
   * Chunks that wait for destinations leave: the last ones, whose turn is the farthest, and at first of lanes that have
   * too much of it. Their lanes count them on, so that none is read only to be displaced in its turn. What else a
   * chunk has ready stays in memory with it while its lane can send it.
   */
  #displace(): void {
    if (this.#loadedBytes < loadedBytesMax) return;
    for (const work of inOrderOfLeaving(this.#loaded)) {
      if (this.#loadedBytes < loadedBytesMax) return;
      this.#unload(work);
    }
  }

  #unload(work: ChunkWork): void {
    const { chunk } = work;
    const { lane } = chunk;
    lane.ready -= work.ready;
    const waiting = work.aside.byMatch();
    work.ready = 0;
    work.aside.clear();
    this.#loaded.delete(work);
    this.#loadedBytes -= work.size;
    chunk.work = undefined;
    chunk.fresh = false;
    work.dropText();
    lane.enqueue(chunk, waiting.size > 0 ? { waiting, bytes: work.size } : undefined);
    if (waiting.size === 0) return;
    lane.displaced.atMs = this.#settings.clock.monotonicMs();
    this.#displacedLanes.add(lane);
  }

  /** The next keys of the lanes that want some, interactive lanes first. */
  #collect(): PendingChunk[] {
    const chunks: PendingChunk[] = [];
    let messages = 0;
    for (const lanes of [this.#interactive, this.#bulk]) {
      while (lanes.length > 0 && messages < readMessagesMax && chunks.length < readChunksMax) {
        const lane = lanes.shift()!;
        lane.wantsLoad = false;
        // Its chunks may have been displaced since it asked.
        let room = this.#mayLoad(lane) ? this.#settings.readyWanted(lane) - lane.ready : 0;
        while (room > 0 && messages < readMessagesMax && chunks.length < readChunksMax) {
          const chunk = lane.shiftDue();
          if (chunk === undefined) break;
          chunk.place = 'loading';
          chunks.push(chunk);
          room -= chunk.count;
          messages += chunk.count;
        }
      }
    }
    return chunks;
  }

  async #read(chunks: PendingChunk[]): Promise<void> {
    const { clock, onError } = this.#settings;
    this.#reads++;
    try {
      const read = await this.#reader.read(chunks);
      this.#place(chunks, read, await this.#check(chunks, read));
    } catch (error) {
      onError(error);
      await clock.sleep(retryMs);
      for (const chunk of chunks) {
        chunk.lane.enqueue(chunk);
        this.want(chunk.lane);
      }
    } finally {
      this.#reads--;
      this.#pump();
    }
  }

  #place(chunks: PendingChunk[], read: ChunksRead, checked: ChunksChecked): void {
    for (const chunk of chunks) {
      if (chunk.tenure.state !== 'held') {
        // What follows it in its lane may be loaded in its place.
        this.want(chunk.lane);
        continue;
      }
      const lines = checked.lines.get(chunk.id) ?? this.#reader.linesOf(chunk, read);
      const work = this.#reader.make(chunk, read, lines);
      work.noteChecked(checked.checkedAtMs, checked.suppressed.get(chunk.id));
      chunk.place = 'loaded';
      this.#settings.dropStored(chunk);
      chunk.work = work;
      this.#loaded.add(work);
      this.#loadedBytes += work.size;
      this.#settings.onLoaded(work);
    }
  }
}

function split<Item>(items: readonly Item[], belongs: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))];
}
