import { ProblemError } from '../../message/error-codes.ts';
import { callbackRouteName } from '../../message/webhook.ts';
import { findRoute, putRoute } from '../../store/control/routes.ts';
import type { Queryable } from '../../store/database.ts';
import type { ApiContext } from '../context.ts';
import { readRoute } from './route-fields.ts';
import { newSecret } from './webhook-fields.ts';

const connector = 'webhook';

/**
 * Makes the route of callbacks where there is none. An administrator may change it as any other.
 * @throws ProblemError `conflict` when somebody uses the name for something else
 */
export async function ensureCallbackRoute(transaction: Queryable, context: ApiContext): Promise<void> {
  const { secrets } = context;
  const present = await findRoute(transaction, { name: callbackRouteName, secrets });
  if (present?.connector === connector) return;
  if (present) {
    throw new ProblemError(
      'conflict',
      `the route "${callbackRouteName}" is that of webhooks, and here it has the connector "${present.connector}": an ` +
        'administrator has to give it another name',
    );
  }
  // Endpoints have secrets of their own; this one signs what is sent to a URL by this route.
  const { secret } = newSecret(Date.now());
  const body = { connector, ...{ secrets: [{ secret }] } };
  const fields = readRoute(context, { name: callbackRouteName, body });
  await putRoute(transaction, { fields, secrets });
}
