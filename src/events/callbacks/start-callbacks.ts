import type { Clock } from '../../lib/clock.ts';
import { callbackRouteName, type Webhook } from '../../message/webhook.ts';
import type { Database } from '../../store/database.ts';
import type { IdMint } from '../../store/id-mint.ts';
import { type CallbackControl, CallbackFeed } from './callback-feed.ts';
import { openCallbackPool } from './callback-pool.ts';
import { storeDisabledNotice } from './disabled-notice.ts';
import { EndpointHealth } from './endpoint-health.ts';

export interface CallbacksSettings {
  database: Database;
  control: CallbackControl;
  mint: IdMint;
  clock: Clock;
  disableAfterMs: number;
  onCallbacks?: (count: number) => void;
  onDisabled: (webhook: Webhook, reason: string) => void;
  onError: (error: unknown) => void;
}

/** How long after a change an endpoint hears of it, at most, beside the longest transaction that is open. */
const idleMs = 500;
/**
 * A turn is followed by a rest as long as itself: callbacks of a flood take half of one thread at most, and come later than its
 * messages.
 */
const restShare = 1;

/** Makes changes into callbacks from now on; the answer ends that. */
export function startCallbacks(settings: CallbacksSettings): { stop(): Promise<void> } {
  const { database, control, mint, clock, onError } = settings;
  const pool = openCallbackPool();
  const health = new EndpointHealth({
    database,
    clock,
    disableAfterMs: settings.disableAfterMs,
    async tell(transaction, notice) {
      const route = control.routeByName(callbackRouteName);
      if (route) {
        await storeDisabledNotice(transaction, notice, {
          mint,
          routeId: route.id,
          now: new Date(clock.nowMs()),
        });
      }
    },
    onDisabled: settings.onDisabled,
  });
  const { onCallbacks } = settings;
  const feed = new CallbackFeed({
    database,
    control,
    mint,
    pool,
    health,
    ...(onCallbacks && { onCallbacks }),
  });
  const stopping = new AbortController();

  async function loop(): Promise<void> {
    let restMs = idleMs;
    while (!stopping.signal.aborted) {
      try {
        await clock.sleep(restMs, stopping.signal);
        const beganAtMs = clock.monotonicMs();
        const more = await feed.runOnce();
        restMs = more ? (clock.monotonicMs() - beganAtMs) * restShare : idleMs;
      } catch (error) {
        if (!stopping.signal.aborted) onError(error);
        restMs = idleMs;
      }
    }
  }

  const running = loop();
  return {
    async stop() {
      stopping.abort(new Error('callbacks are stopping'));
      await running;
      await pool.close();
    },
  };
}
