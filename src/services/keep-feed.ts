import type { Clock } from '../lib/clock.ts';
import type { Database } from '../store/database.ts';
import { type FeedEpochBegun, settleFeed } from '../store/reading/settle-feed.ts';
import { periodic } from './periodic.ts';
import type { Service } from './service.ts';

/** What comes again to readers of the change feed after a failover is of this time at most, and of what a standby lacked. */
const everyMs = 10_000;

export interface KeepFeedSettings {
  database: Database;
  clock: Clock;
  onEpoch: (begun: FeedEpochBegun) => void;
  onError: (error: unknown) => void;
}

/** Writes down up to where the change feed is decided, and sees that the primary is another. */
export function keepFeed({ database, clock, onEpoch, onError }: KeepFeedSettings): Service {
  async function runOnce(): Promise<void> {
    const begun = await settleFeed(database);
    if (begun) onEpoch(begun);
  }
  return periodic({ name: 'change feed', everyMs, clock, onError, runOnce });
}
