import type { Endpoint } from './context.ts';
import { showAccount } from './routes/show-account.ts';
import { showLiveness } from './routes/show-liveness.ts';

/** Endpoints whose body, if any, is JSON that their schema describes. */
export const endpoints: readonly Endpoint[] = [showAccount, showLiveness];

/** Endpoints that get their body as a stream and read it themselves: uploads and messages. */
export const streamEndpoints: readonly Endpoint[] = [];
