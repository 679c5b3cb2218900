import { unixMsOf } from '../../message/id.ts';
import { stateName } from '../../message/state.ts';
import {
  addTally,
  type Counter,
  counters,
  noCounts,
  SeriesTallies,
  type SeriesTally,
  TagLimit,
} from '../../message/statistics/series-tallies.ts';
import { waitBucketOf } from '../../message/statistics/waits.ts';
import type { ChunkWork } from '../chunks/chunk-work.ts';
import type { OutcomeGroup } from './outcome-groups.ts';

/** Times are told as so many whole seconds ago: what happened together is counted together. */
const ageStepMs = 1_000;
const attemptsIndex = counters.indexOf('attempts');

type Sum = Pick<SeriesTally, 'counts' | 'waits'>;

interface Run {
  bucket: number | undefined;
  tags: readonly string[];
  messages: number;
}

/** What the outcomes of a flush add to statistics. */
export class CountedOutcomes {
  readonly #tallies = new SeriesTallies();
  readonly #tags = new TagLimit();
  readonly #nowMs: number;
  readonly #databaseNowMs: (monotonicMs: number) => number;

  constructor({ nowMs, databaseNowMs }: { nowMs: number; databaseNowMs: (monotonicMs: number) => number }) {
    this.#nowMs = nowMs;
    this.#databaseNowMs = databaseNowMs;
  }

  add(work: ChunkWork, group: OutcomeGroup): void {
    const counter = counters.indexOf(stateName(group.state) as Counter);
    if (counter === -1 && group.attempts === 0) return;
    const { accountId, routeId } = work.chunk.lane.key;
    const ageMs = Math.round(Math.max(0, this.#nowMs - group.atMs) / ageStepMs) * ageStepMs;
    const key = { accountId, routeId, batch: work.chunk.batch };
    const all = noSum();
    // Messages of one batch that name no tags have theirs in common, and are counted together.
    const byTags = new Map<readonly string[], Sum>();
    for (const { bucket, tags, messages } of this.#runs(work, group)) {
      const counted = { counter, attempts: group.attempts, bucket, messages };
      raise(all, counted);
      if (tags.length === 0) continue;
      const sum = byTags.get(tags) ?? noSum();
      byTags.set(tags, sum);
      raise(sum, counted);
    }
    addTally(this.#tallies.at(ageMs, { ...key, tag: null }), all);
    for (const [tags, sum] of byTags) {
      for (const tag of new Set(tags)) {
        addTally(this.#tallies.at(ageMs, { ...key, tag: this.#tags.nameOf(`${accountId}`, tag) }), sum);
      }
    }
  }

  encode(): string {
    return this.#tallies.encode();
  }

  /** Messages next to each other that are counted alike: those of a request and a batch are. */
  #runs(work: ChunkWork, group: OutcomeGroup): Run[] {
    const runs: Run[] = [];
    const bucketAt = this.#buckets(work, group);
    for (let index = 0; index < group.offsets.length; index++) {
      const bucket = bucketAt(index);
      const tags = group.tags?.[index] ?? noTags;
      const last = runs.at(-1);
      if (last && last.bucket === bucket && last.tags === tags) last.messages++;
      else runs.push({ bucket, tags, messages: 1 });
    }
    return runs;
  }

  /** The bucket of each message's wait for its first attempt, asked in order of the group's offsets; undefined for none. */
  #buckets(work: ChunkWork, group: OutcomeGroup): (index: number) => number | undefined {
    const { attempt, attempts, began, offsets } = group;
    if (attempts <= 0 || attempt !== attempts || began.length === 0) return () => undefined;
    const acceptedAtMs = unixMsOf(work.chunk.id);
    let run = 0;
    let left = began[0]!.messages;
    let lastMs = Number.NaN;
    let bucket = 0;
    return (index) => {
      if (left === 0) left = began[++run]?.messages ?? Number.POSITIVE_INFINITY;
      left--;
      const beganAtMs = began[run]?.atMs;
      if (beganAtMs === undefined) return undefined;
      const scheduledAtMs = work.times?.scheduledAtMs(offsets[index]!) ?? acceptedAtMs;
      const waitMs = this.#databaseNowMs(beganAtMs) - Math.max(acceptedAtMs, scheduledAtMs);
      if (waitMs !== lastMs) bucket = waitBucketOf(waitMs);
      lastMs = waitMs;
      return bucket;
    };
  }
}

const noTags: readonly string[] = [];

function noSum(): Sum {
  return { counts: noCounts(), waits: new Map() };
}

function raise(
  { counts, waits }: Sum,
  {
    counter,
    attempts,
    bucket,
    messages,
  }: { counter: number; attempts: number; bucket: number | undefined; messages: number },
): void {
  if (counter !== -1) counts[counter]! += messages;
  counts[attemptsIndex]! += messages * attempts;
  if (bucket !== undefined) waits.set(bucket, (waits.get(bucket) ?? 0) + messages);
}
