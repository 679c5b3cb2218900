import { feedPage } from '../../src/api/reading/feed-page.ts';
import { feedSource } from '../../src/api/reading/feed-source.ts';
import type { Database } from '../../src/store/database.ts';
import { feedCursor, parseFeedCursor } from '../../src/store/reading/feed-cursor.ts';
import { settleFeed } from '../../src/store/reading/settle-feed.ts';
import { until } from '../delivery/mill.ts';

/** By so much the count of the cluster that a dump was made of is ahead. */
export const ahead = 1_000_000_000;

/**
 * The states behind a cursor, until this one and no others come: others' transactions on the shared server hold the feed
 * back.
 */
export async function readOn(
  database: Database,
  cursor: string,
  last: string,
): Promise<{ states: string[]; cursor: string }> {
  const seen: string[] = [];
  await until(async () => {
    const place = parseFeedCursor(cursor)!;
    const source = {
      chosen: database,
      primary: database,
      settle: async () => void (await settleFeed(database)),
    };
    const { database: from, after } = await feedSource(place, source);
    const page = await feedPage(from, { accountId: 1, after, limit: 10 });
    cursor = feedCursor(page.next);
    seen.push(...page.events.map(({ state }) => state));
    return seen.at(-1) === last;
  });
  return { states: seen, cursor };
}

/** What a dump of a cluster that counts higher looks like when it is restored here. */
export async function becomeRestored(database: Database): Promise<void> {
  for (const text of [
    `UPDATE batch_event SET written_by = written_by + ${ahead}`,
    `UPDATE feed_epoch SET cluster = 'another', settled = settled + ${ahead}`,
  ]) {
    await database.query({ name: '', text });
  }
}
