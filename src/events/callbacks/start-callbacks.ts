import type { Clock } from '../../lib/clock.ts';
import { callbackRouteName, type Webhook } from '../../message/webhook.ts';
import type { Database } from '../../store/database.ts';
import type { IdMint } from '../../store/id-mint.ts';
import { type CallbackControl, CallbackFeed } from './callback-feed.ts';
import { openCallbackPool } from './callback-pool.ts';
import { storeDisabledNotice } from './disabled-notice.ts';
import { EndpointHealth } from './endpoint-health.ts';
import { takeTurns } from './take-turns.ts';

export interface CallbacksSettings {
  database: Database;
  control: CallbackControl;
  mint: IdMint;
  clock: Clock;
  disableAfterMs: number;
  /** Messages that somebody waits for want the machine. Asked after each turn, and each rest. */
  givesWay: () => boolean;
  onCallbacks?: (count: number) => void;
  onDisabled: (webhook: Webhook, reason: string) => void;
  onError: (error: unknown) => void;
}

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
  const { givesWay } = settings;
  const running = takeTurns({ runOnce: () => feed.runOnce(), givesWay, clock, onError }, stopping.signal);
  return {
    async stop() {
      stopping.abort(new Error('callbacks are stopping'));
      await running;
      await pool.close();
    },
  };
}
