import { splitFrame } from '../chunk-codec.ts';
import { remainingTags } from './series-tallies.ts';

/** How many messages have each tag, the same message once for each of its tags. */
export type TagCounts = [tag: string, count: number][];

/** The tags that messages of a chunk name themselves, and how many name none. */
export interface OwnTags {
  counts: TagCounts;
  unnamed: number;
}

const mark = '"tags"';

/** Of a frame, records as JSON one a line; undefined where none of them names any. */
export function ownTagsOfFrame(frame: Uint8Array): OwnTags | undefined {
  if (!Buffer.from(frame.buffer, frame.byteOffset, frame.length).includes(mark)) return undefined;
  const counts = new Map<string, number>();
  const own: OwnTags = { counts: [], unnamed: 0 };
  const lines = splitFrame(frame);
  for (const line of lines) {
    const tags = ownTagsOf(line);
    if (tags === undefined) own.unnamed++;
    else raise(counts, tags, 1);
  }
  return own.unnamed === lines.length ? undefined : { ...own, counts: [...counts] };
}

/** All of `count` messages by tag: those that name none have the tags of their batch. */
export function tagCounts(
  count: number,
  { own, ofBatch = [] }: { own: OwnTags | undefined; ofBatch?: readonly string[] | undefined },
): TagCounts {
  const counts = new Map(own?.counts);
  const unnamed = own?.unnamed ?? count;
  if (unnamed > 0) raise(counts, ofBatch, unnamed);
  return [...counts];
}

function raise(counts: Map<string, number>, tags: readonly string[], messages: number): void {
  for (const tag of new Set(tags)) counts.set(tag, (counts.get(tag) ?? 0) + messages);
}

/** Whether a record may name tags. */
export function mayNameTags(line: string): boolean {
  return line.includes(mark);
}

/** The tags that a message names itself, those that name its recipient under the remainder; undefined for none, and of a line that cannot be read. */
export function ownTagsOf(line: string): string[] | undefined {
  if (!mayNameTags(line)) return undefined;
  try {
    const { to, tags } = JSON.parse(line) as { to?: unknown; tags?: string[] };
    return typeof to === 'string' ? tags?.map((tag) => (tellsOf(tag, to) ? remainingTags : tag)) : tags;
  } catch {
    return undefined;
  }
}

/** So many digits at the end of a telephone number are the same however its country is written. */
const digitsAlike = 8;

/** Whether a tag names the recipient: statistics outlive the erasure of a person. */
function tellsOf(tag: string, to: string): boolean {
  if (!/^\+?\d/.test(to)) return to !== '' && tag.toLowerCase().includes(to.toLowerCase());
  const digits = to.replace(/\D/g, '').slice(-digitsAlike);
  return digits.length === digitsAlike && tag.replace(/\D/g, '').includes(digits);
}
