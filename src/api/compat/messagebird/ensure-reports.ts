import { makeSigningKey } from '../../../message/signing-key.ts';
import { callbackRouteName } from '../../../message/webhook.ts';
import { changeControl } from '../../../store/control/change-control.ts';
import { findSigningKey, putSigningKey } from '../../../store/control/signing-keys.ts';
import { feedCursor } from '../../../store/reading/feed-cursor.ts';
import { feedHorizon } from '../../../store/reading/read-events.ts';
import type { ApiContext } from '../../context.ts';
import { reloaded } from '../../control-write.ts';
import { ensureCallbackRoute } from '../../routes/callback-route.ts';

/**
 * The account has a key that signs its status reports, and there is a route for them, from now on: every signature needs one, and
 * who verifies none needs to know nothing of it. Who does sets it, or has it replaced: `PUT /v1/signing-key`.
 */
export async function ensureReports(context: ApiContext, accountId: number): Promise<void> {
  const { control, database, secrets } = context;
  const isThere = () =>
    control.signingKeyOf(accountId) !== undefined && control.routeByName(callbackRouteName) !== undefined;
  if (isThere()) return;
  await changeControl(database, async (transaction) => {
    await ensureCallbackRoute(transaction, context);
    // Another request was faster.
    if (await findSigningKey(transaction, { accountId, secrets })) return;
    const begins = feedCursor(await feedHorizon(transaction));
    await putSigningKey(transaction, { accountId, key: makeSigningKey(), begins, secrets });
  });
  await reloaded(context);
}
