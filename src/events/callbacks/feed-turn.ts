import type { CallbackProgress } from '../../store/events/callback-turn.ts';
import { compareFeedPlaces, type FeedPlace, placeBehind } from '../../store/reading/feed-place.ts';
import type { FeedPage, FeedRow } from '../../store/reading/read-events.ts';

export interface FeedTurnSettings {
  /** In places of one epoch. */
  progress: CallbackProgress;
  /** Who may want to be told. */
  accountIds: ReadonlySet<number>;
  /** Its messages are loaded and told. */
  isWanted: (row: FeedRow) => boolean;
  read: (page: {
    accountIds: readonly number[];
    after: FeedPlace;
    until?: FeedPlace;
    rowsMax: number;
  }) => Promise<FeedPage>;
}

/** What the next turn tells, in the order of each account's feed, and how far all are with it. */
export interface FeedTurn {
  rows: FeedRow[];
  progress: CallbackProgress;
}

/** A turn takes so many rows of the feed at most, */
export const rowsMax = 100;
/** and of so many messages, unless the first row alone has more: some 5 MB of events. */
export const messagesMax = 5_000;
/** Of what is full, the part of the rows or messages that an account may take before it is set apart. */
const crowdingPart = 1 / 20;
/** So many are apart at most, who stand in one row. */
const apartMax = 100;
/** So many of them are read in a turn, each by a statement of its own, */
const apartAtOnce = 4;
/** while there is room for so much. */
const leftMin = { rows: 10, messages: 500 } as const;

/**
 * Reads the next turn. Accounts are told in the order of the feed, all in one, while the turn has room. Those that take more than their part
 * of a full turn are set apart: the others pass over them from there, and they go on by themselves, one after the other, in half of each turn
 * and what the others leave of theirs. Who has come as far as the others is one of them again.
 */
export async function readFeedTurn(settings: FeedTurnSettings): Promise<FeedTurn> {
  const { progress, accountIds, isWanted, read } = settings;
  const apart = stillApart(progress, accountIds);
  const part = apart.size === 0 ? 1 : 1 / 2;
  const most = { rowsMax: rowsMax * part, messagesMax: messagesMax * part };
  const others = portionOf(
    await read({
      accountIds: [...accountIds].filter((accountId) => !apart.has(accountId)),
      after: progress.front,
      rowsMax: most.rowsMax,
    }),
    { after: progress.front, isWanted, ...most },
  );
  const rows = [...others.rows];
  const left = { rowsMax: rowsMax - others.rows.length, messagesMax: messagesMax - others.messages };
  for (const [accountId, after] of [...apart].slice(0, apartAtOnce)) {
    const page = await read({ accountIds: [accountId], after, until: others.next, rowsMax: left.rowsMax });
    const own = portionOf(page, { after, isWanted, ...left });
    rows.push(...own.rows);
    // It stands last in the order in which they have their turns.
    apart.delete(accountId);
    if (compareFeedPlaces(own.next, others.next) < 0) apart.set(accountId, own.next);
    left.rowsMax -= own.rows.length;
    left.messagesMax -= own.messages;
    if (own.isFull || left.rowsMax < leftMin.rows || left.messagesMax < leftMin.messages) break;
  }
  if (others.isFull && accountIds.size > 1) {
    for (const accountId of crowding(others.rows, { isWanted, ...most })) {
      if (apart.size < apartMax) apart.set(accountId, others.next);
    }
  }
  return { rows, progress: { front: others.next, apart } };
}

interface Portion {
  rows: FeedRow[];
  /** Wanted ones of the rows. */
  messages: number;
  /** Where the feed goes on behind them. */
  next: FeedPlace;
  /** There may be more at once. */
  isFull: boolean;
}

/** Without those that want to be told of nothing any more, and those who lie ahead of the others, as in a database that was restored. */
function stillApart(
  { front, apart }: CallbackProgress,
  accountIds: ReadonlySet<number>,
): Map<number, FeedPlace> {
  return new Map(
    [...apart].filter(
      ([accountId, place]) => accountIds.has(accountId) && compareFeedPlaces(place, front) <= 0,
    ),
  );
}

/** As many rows of a page as make a turn. */
function portionOf(
  page: FeedPage,
  {
    after,
    isWanted,
    ...most
  }: { after: FeedPlace; isWanted: FeedTurnSettings['isWanted']; rowsMax: number; messagesMax: number },
): Portion {
  // The last row of the turn before comes again.
  const rows = page.rows.filter((row) => compareFeedPlaces(placeBehind(row, after.epoch), after) > 0);
  let messages = 0;
  for (const [index, row] of rows.entries()) {
    const more = messagesOf(row, isWanted);
    if (index > 0 && messages + more > most.messagesMax) {
      const next = placeBehind(rows[index - 1]!, after.epoch);
      return { rows: rows.slice(0, index), messages, next, isFull: true };
    }
    messages += more;
  }
  return { rows, messages, next: page.next, isFull: page.rows.length === most.rowsMax };
}

function messagesOf(row: FeedRow, isWanted: FeedTurnSettings['isWanted']): number {
  if (!isWanted(row)) return 0;
  return row.kind === 'batch' ? 1 : row.chunkCount;
}

/** The accounts that take more than their part of what is full. */
function crowding(
  rows: readonly FeedRow[],
  { isWanted, ...most }: { isWanted: FeedTurnSettings['isWanted']; rowsMax: number; messagesMax: number },
): number[] {
  const takes = new Map<number, number>();
  for (const row of rows) {
    const part = Math.max(1 / most.rowsMax, messagesOf(row, isWanted) / most.messagesMax);
    takes.set(row.accountId, (takes.get(row.accountId) ?? 0) + part);
  }
  return [...takes].filter(([, part]) => part > crowdingPart).map(([accountId]) => accountId);
}
