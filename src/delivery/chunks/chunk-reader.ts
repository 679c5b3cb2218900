import type { Clock } from '../../lib/clock.ts';
import { decodeChunk, isTestChunk, splitFrame } from '../../message/chunk-codec.ts';
import type { MessageDefaults } from '../../message/fields.ts';
import { dueAtOf, foldOutcomes } from '../../message/fold-outcomes.ts';
import type { OnUncertain } from '../../message/route.ts';
import { TemplateCache } from '../../message/templates/template-cache.ts';
import { type LoadedTemplate, templateIdsOf } from '../../message/templates/templated-text.ts';
import type { ChunkOutcomeRow } from '../../store/delivery/load-chunks.ts';
import type { PendingChunk, StoredMessages } from '../backlog/pending-chunk.ts';
import type { ChunkStore } from '../delivery-store.ts';
import { ChunkWork } from './chunk-work.ts';
import { DefaultsCache } from './defaults-cache.ts';
import { type ChunkTags, loadTags } from './load-tags.ts';
import { messageTimes } from './message-times.ts';

export interface ChunkReaderSettings {
  store: ChunkStore;
  clock: Clock;
  /** The database's clock at a moment of the monotonic one. */
  databaseNowMs: (monotonicMs: number) => number;
  /** What the route of a chunk does with messages that an earlier owner left in flight. */
  onInterrupted: (routeId: number) => OnUncertain;
  onError: (error: unknown) => void;
}

/** What was read of some chunks, by their ids; what came with a chunk is not among it. */
export interface ChunksRead {
  stored: Map<string, StoredMessages>;
  outcomes: Map<string, ChunkOutcomeRow[]>;
  /** By the ids of the batches. */
  defaults: Map<string, MessageDefaults | undefined>;
  /** What messages are rendered by, by the ids of the versions. */
  templates: ReadonlyMap<number, LoadedTemplate>;
}

/** Reads what chunks are made of, and makes them of it. */
export class ChunkReader {
  readonly #settings: ChunkReaderSettings;
  readonly #defaults: DefaultsCache;
  readonly #templates: TemplateCache;

  constructor(settings: ChunkReaderSettings) {
    this.#settings = settings;
    const { store, onError } = settings;
    this.#defaults = new DefaultsCache(store);
    this.#templates = new TemplateCache({ load: (keys) => store.loadTemplateVersions(keys), onError });
  }

  /** Of chunks that came with their text and that nothing is recorded of: undefined when something must be read for them. */
  peek(chunks: readonly PendingChunk[]): ChunksRead | undefined {
    const defaults = this.#defaults.peek(chunks.map((chunk) => chunk.batch));
    const read = { stored: new Map(), outcomes: new Map(), defaults: defaults ?? new Map() };
    const templates = defaults && this.#templates.peek(templatesOf(chunks, read));
    return templates && { ...read, templates };
  }

  async read(chunks: readonly PendingChunk[]): Promise<ChunksRead> {
    const { store } = this.#settings;
    const known = chunks.filter((chunk) => !chunk.fresh);
    const missing = chunks.filter((chunk) => chunk.stored === undefined);
    const [rows, outcomes, defaults] = await Promise.all([
      missing.length > 0 ? store.loadChunks(keysOf(missing)) : [],
      known.length > 0 ? store.loadOutcomes(keysOf(known)) : [],
      this.#defaults.load(chunks.map((chunk) => chunk.batch)),
    ]);
    const read = {
      stored: new Map(rows.map((row) => [row.id, row])),
      outcomes: byChunk(outcomes),
      defaults,
    };
    return { ...read, templates: await this.#templates.load(templatesOf(chunks, read)) };
  }

  /** Reads what is recorded of chunks, without their text; the answer makes them, to be decided on. */
  async readParked(chunks: readonly PendingChunk[]): Promise<(chunk: PendingChunk) => ChunkWork> {
    const { store } = this.#settings;
    const known = chunks.filter((chunk) => !chunk.fresh);
    const rows = known.length === 0 ? [] : await store.loadOutcomes(keysOf(known));
    const tagsOf = await loadTags(store, { chunks, defaults: this.#defaults });
    const stored = new Map();
    const read = { stored, defaults: new Map(), templates: new Map(), outcomes: byChunk(rows) };
    return (chunk) => this.#make(chunk, read, { ...tagsOf(chunk), parked: true });
  }

  /** No lines when the stored bytes cannot be read: then handling each of the messages fails. */
  linesOf(chunk: PendingChunk, read: ChunksRead): string[] {
    const source = chunk.stored ?? read.stored.get(chunk.id);
    try {
      if (source === undefined) throw new Error(`chunk ${chunk.id} is pending but not stored`);
      return splitFrame(decodeChunk(source.codec, source.payload));
    } catch (error) {
      this.#settings.onError(error);
      return [];
    }
  }

  make(chunk: PendingChunk, read: ChunksRead, lines: string[]): ChunkWork {
    return this.#make(chunk, read, { lines, parked: false });
  }

  #make(chunk: PendingChunk, read: ChunksRead, as: ChunkTags & { parked: boolean }): ChunkWork {
    const rows = read.outcomes.get(chunk.id);
    const nowMs = this.#settings.clock.monotonicMs();
    const aheadMs = this.#settings.databaseNowMs(nowMs) - nowMs;
    const folded = rows && foldOutcomes(chunk.count, rows);
    const defaults = chunk.batch === null ? undefined : read.defaults.get(chunk.batch);
    const stored = chunk.stored ?? read.stored.get(chunk.id);
    const { timed = false, templates: pins = null } = stored ?? {};
    const times = messageTimes({ lines: as.lines, count: chunk.count, timed, defaults });
    return new ChunkWork(chunk, {
      ...as,
      onInterrupted: this.#settings.onInterrupted(chunk.lane.key.routeId),
      defaults,
      templates: { pins, byId: read.templates },
      test: stored !== undefined && isTestChunk(stored.codec),
      folded,
      times,
      nowMs,
      dueAtMs: (offset) => {
        const retryAt = folded && dueAtOf(folded, offset);
        return (retryAt?.getTime() ?? times?.scheduledAtMs(offset) ?? Number.NEGATIVE_INFINITY) - aheadMs;
      },
    });
  }
}

/** The ids of the versions that their messages are rendered by. */
function templatesOf(chunks: readonly PendingChunk[], read: Omit<ChunksRead, 'templates'>): number[] {
  return templateIdsOf(
    chunks.map((chunk) => ({
      defaults: chunk.batch === null ? undefined : read.defaults.get(chunk.batch),
      pins: (chunk.stored ?? read.stored.get(chunk.id))?.templates,
    })),
  );
}

function keysOf(chunks: readonly PendingChunk[]): { ids: string[] } {
  return { ids: chunks.map((chunk) => chunk.id) };
}

function byChunk(rows: readonly ChunkOutcomeRow[]): Map<string, ChunkOutcomeRow[]> {
  const grouped = new Map<string, ChunkOutcomeRow[]>();
  for (const row of rows) {
    const group = grouped.get(row.chunkId);
    if (group) group.push(row);
    else grouped.set(row.chunkId, [row]);
  }
  return grouped;
}
