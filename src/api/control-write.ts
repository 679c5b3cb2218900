import type { FastifyReply, FastifyRequest } from 'fastify';
import { changeControl } from '../store/control/change-control.ts';
import type { Queryable } from '../store/database.ts';
import type { ApiContext } from './context.ts';
import { type Answer, idempotently } from './idempotency.ts';

export interface ControlTry {
  /** The ids that were reserved; the same ones when the change is tried again. */
  ids: string[];
  /** An earlier try with the same Idempotency-Key may have made the change, and nobody was told. */
  again: boolean;
}

/**
 * A change of accounts, keys or routes: one transaction that also raises the control version, once for each
 * Idempotency-Key, and known to this process when it is answered.
 */
export async function controlWrite(
  context: ApiContext,
  at: { request: FastifyRequest; reply: FastifyReply },
  settings: {
    reserveIds?: () => string[];
    /** The answer shows credentials. */
    secretAnswer?: boolean;
    change: (transaction: Queryable, tried: ControlTry) => Promise<Answer>;
  },
): Promise<void> {
  const { reserveIds } = settings;
  await idempotently(context, at, {
    ...(reserveIds && { reserve: () => ({ ids: reserveIds() }) }),
    body: Buffer.from(JSON.stringify(at.request.body ?? null)),
    secretAnswer: settings.secretAnswer ?? false,
    async work({ reservation, again }) {
      const answer = await changeControl(context.database, (transaction) =>
        settings.change(transaction, { ids: reservation.ids, again }),
      );
      await reloaded(context);
      return answer;
    },
  });
}

/** The change is committed: that the cache could not be read again must not make it an error. */
export async function reloaded({ control, log }: ApiContext): Promise<void> {
  try {
    await control.refresh();
  } catch (err) {
    log.warn({ err }, 'the control cache could not be refreshed; the next poll tries again');
  }
}
