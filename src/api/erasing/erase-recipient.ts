import type { Clock } from '../../lib/clock.ts';
import { countInBitmap } from '../../message/bitmap.ts';
import { lowestIdAt } from '../../message/id.ts';
import { lookupHash } from '../../message/lookup-hash.ts';
import { lookupRecipient } from '../../message/recipient.ts';
import { suppressedForm, suppressionHash } from '../../message/suppression.ts';
import { eraseSuppression } from '../../store/control/suppressions.ts';
import type { Database } from '../../store/database.ts';
import { countOpenErasures, eraseChunk, scrubLate } from '../../store/erasure/erase-chunk.ts';
import { scrubAnswers } from '../../store/erasure/scrub-answers.ts';
import type { ErasedMessages } from '../../store/erasure/scrub-outcomes.ts';
import { highestId } from '../../store/reading/id-range.ts';
import { searchChunks } from '../../store/reading/search-chunks.ts';

export interface Erasure {
  /** Messages whose text was erased. */
  messages: number;
  /** Stored answers to idempotent writes that named the recipient. */
  answers: number;
  /** The account suppresses the recipient: that holds on, without saying who it is. */
  suppressed: boolean;
  /** False when the time was up before all was done: the same call goes on. */
  complete: boolean;
}

const candidatesAtOnce = 256;
/** One call rewrites chunks for so long; the next goes on with what is left. */
const budgetMs = 20_000;
/** Owners take requests within a fraction of a second; sends on their way are waited for this long. */
const settleMs = 10_000;
const settlePollMs = 50;

/**
 * Erases what is kept of one recipient of an account. What was not sent yet is canceled by the owners of its shards;
 * this waits until they have said so, so that nothing is sent any more when it is done.
 */
export async function eraseRecipient(
  { database, clock }: { database: Database; clock: Clock },
  { accountId, to, renew }: { accountId: number; to: string; renew: () => Promise<void> },
): Promise<Erasure> {
  const endMs = clock.monotonicMs() + budgetMs;
  const hash = lookupHash('to', accountId, to);
  const chunks: ErasedMessages[] = [];
  let inTime = true;
  for (let before = highestId, more = true; more && inTime; ) {
    const search = { accountId, kind: 'to', hash, from: lowestIdAt(0), to: before } as const;
    const found = await searchChunks(database, { ...search, limit: candidatesAtOnce });
    for (const { id: chunkId } of found) {
      const erased = await eraseChunk(database, { accountId, chunkId, to });
      if (erased) chunks.push(erased);
      inTime = clock.monotonicMs() < endMs;
      if (!inTime) break;
    }
    more = found.length === candidatesAtOnce;
    before = found.at(-1)?.id ?? before;
    await renew();
  }
  const suppression = suppressionHash(accountId, to);
  const suppressed =
    suppression !== undefined && (await eraseSuppression(database, { accountId, hash: suppression }));
  let answers = 0;
  for (const form of new Set([to, suppressedForm(to)])) {
    answers += await scrubAnswers(database, {
      accountId,
      holding: quotedPart(form),
      rewrite: (answer) => withoutRecipient(answer, form),
    });
  }
  const settled = await isSettled({ database, clock }, accountId);
  for (const erased of chunks) await scrubLate(database, { erased, to });
  const messages = chunks.reduce((sum, { offsets, count }) => sum + countInBitmap(offsets, count), 0);
  return { messages, answers, suppressed, complete: inTime && settled };
}

async function isSettled(
  { database, clock }: { database: Database; clock: Clock },
  accountId: number,
): Promise<boolean> {
  const endMs = clock.monotonicMs() + settleMs;
  while ((await countOpenErasures(database, accountId)) > 0) {
    if (clock.monotonicMs() > endMs) return false;
    await clock.sleep(settlePollMs);
  }
  return true;
}

/** Bytes that an answer with the recipient holds: of an address what lies before its domain, which may be in either case. */
function quotedPart(to: string): Buffer {
  const quoted = JSON.stringify(to).slice(1, -1);
  const at = quoted.startsWith('+') || /^https?:\/\//i.test(quoted) ? -1 : quoted.lastIndexOf('@');
  return Buffer.from(at === -1 ? quoted : quoted.slice(0, at + 1));
}

/** The answer with an empty text for each that holds the recipient; undefined when none does. */
function withoutRecipient(answer: string, to: string): string | undefined {
  const wanted = lookupForm(to);
  let found = false;
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer, (_, value: unknown) => {
      if (typeof value !== 'string') return isErasedSuppression(value) ? withoutNotes(value) : value;
      if (!value.includes(to) && lookupForm(value) !== wanted) return value;
      found = true;
      return '';
    });
  } catch {
    // A sealed answer tells nothing to begin with.
    return undefined;
  }
  return found ? JSON.stringify(parsed) : undefined;
}

/** What an answer shows of a suppression, after its recipient was taken out: who wrote the notes may have named them there too. */
function isErasedSuppression(value: unknown): value is { to: string } {
  return (
    typeof value === 'object' && value !== null && 'channel' in value && 'to' in value && value.to === ''
  );
}

function withoutNotes(suppression: { to: string }) {
  return { ...suppression, reason: null, ref: null };
}

function lookupForm(text: string): string {
  return Buffer.from(lookupRecipient(Buffer.from(text))).toString();
}
