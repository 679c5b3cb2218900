import type { Readable } from 'node:stream';
import { Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { priorityName } from '../../message/fields.ts';
import { isId } from '../../message/id.ts';
import { opensAt } from '../../message/send-window/opens-at.ts';
import { states } from '../../message/state.ts';
import type { ControlCache } from '../../store/control/control-cache.ts';
import type { Queryable } from '../../store/database.ts';
import type { BatchRow } from '../../store/reading/batch-row.ts';
import { findBatch } from '../../store/reading/find-batch.ts';
import { SendWindowFields } from './send-window-fields.ts';

const Time = Type.String({ format: 'date-time' });
const Count = Type.Integer({ minimum: 0 });

export const BatchId = Type.Object({ id: Type.String() });

export const BatchAnswer = Type.Object({
  id: Type.String(),
  state: Type.Union(
    [
      Type.Literal('open'),
      Type.Literal('delivering'),
      Type.Literal('paused'),
      Type.Literal('canceled'),
      Type.Literal('done'),
    ],
    {
      description:
        'open until it is closed, done when every accepted message is in a final state; doneAt says the same of a canceled one',
    },
  ),
  route: Type.String(),
  routePaused: Type.Boolean({ description: 'what was not sent yet waits until the route is resumed' }),
  priority: Type.Union([Type.Literal('interactive'), Type.Literal('bulk')]),
  start: Type.Union([Type.Literal('now'), Type.Literal('close')]),
  nextLine: Type.Integer({ description: 'the first line that is not durable yet' }),
  counts: Type.Object(Object.fromEntries(['accepted', 'rejected', ...states].map((name) => [name, Count])), {
    description: 'the states from queued to uncertain sum up to accepted',
  }),
  tags: Type.Array(Type.String()),
  metadata: Type.Record(Type.String(), Type.Unknown()),
  template: Type.Union([Type.String(), Type.Null()], { description: 'of lines that do not name their own' }),
  templateVersion: Type.Union([Type.Integer(), Type.Null()], {
    description: 'the version that it had when the batch was made: lines are rendered by that',
  }),
  params: Type.Record(Type.String(), Type.Unknown(), {
    description: 'what templates are filled in with, unless a line says otherwise',
  }),
  scheduledAt: Type.Union([Time, Type.Null()], { description: 'of lines that do not name their own' }),
  expiresAt: Type.Union([Time, Type.Null()], { description: 'of lines that do not name their own' }),
  orderingKey: Type.Union([Type.String(), Type.Null()], {
    description: 'of lines that do not name their own',
  }),
  sendWindow: Type.Union([SendWindowFields, Type.Null()]),
  opensAt: Type.Union([Time, Type.Null()], {
    description:
      'when what waits may leave, while the window of the batch or of its route is closed; null where that differs by recipient',
  }),
  test: Type.Boolean({ description: 'made with a test key: its messages are sent to nobody' }),
  createdAt: Time,
  closedAt: Type.Union([Time, Type.Null()]),
  doneAt: Type.Union([Time, Type.Null()]),
});

/** The body of an answer that is a stream of lines. */
export const StreamAnswer = Type.Unsafe<Readable>(Type.String());

/** A batch as its account is shown it. */
export function showBatch(batch: BatchRow, control: ControlCache) {
  return {
    id: batch.id,
    state: batchState(batch),
    route: routeName(control, batch.routeId),
    routePaused: control.routeById(batch.routeId)?.paused ?? false,
    priority: priorityName(batch.priority),
    start: batch.startOn,
    nextLine: batch.nextLine,
    counts: batch.counts,
    tags: batch.defaults.tags ?? [],
    metadata: batch.defaults.metadata ?? {},
    template: batch.defaults.template ?? null,
    templateVersion: batch.defaults.templateVersion ?? null,
    params: batch.defaults.params ?? {},
    scheduledAt: batch.defaults.scheduledAt ?? null,
    expiresAt: batch.defaults.expiresAt ?? null,
    orderingKey: batch.defaults.orderingKey ?? null,
    sendWindow: batch.defaults.sendWindow ?? null,
    opensAt: batch.doneAt ? null : opensAt(windowsOf(batch, control), batch.readAt),
    test: batch.defaults.test ?? false,
    createdAt: batch.createdAt.toISOString(),
    closedAt: batch.closedAt?.toISOString() ?? null,
    doneAt: batch.doneAt?.toISOString() ?? null,
  };
}

function windowsOf({ defaults, routeId }: BatchRow, control: ControlCache) {
  return [defaults.sendWindow, control.routeById(routeId)?.sendWindow];
}

/** The change feed tells the same: `withBatchEvent`. */
export function batchState(batch: BatchRow): 'canceled' | 'done' | 'paused' | 'open' | 'delivering' {
  if (batch.canceledAt) return 'canceled';
  if (batch.doneAt) return 'done';
  if (batch.pausedAt) return 'paused';
  return batch.closedAt ? 'delivering' : 'open';
}

/**
 * One batch of an account.
 * @throws ProblemError `not_found`, also for another account's batch and for what cannot be an id.
 */
export async function readBatch(
  { database, control }: { database: Queryable; control: ControlCache },
  key: { accountId: number; id: string },
): Promise<BatchRow> {
  const batch = isId(key.id) ? await findBatch(database, key) : undefined;
  if (!batch) throw new ProblemError('not_found', 'there is no such batch');
  await knowRoutes(control, [batch.routeId]);
  return batch;
}

/** Before what is stored is shown: another server may have made its route a moment ago. */
export async function knowRoutes(control: ControlCache, routeIds: readonly number[]): Promise<void> {
  if (routeIds.some((id) => !control.routeById(id))) await control.lookAgain();
}

/** Routes are never erased, only marked as deleted; one that cannot be looked for, see `knowRoutes`, has no name. */
export function routeName(control: ControlCache, routeId: number): string {
  return control.routeById(routeId)?.name ?? '';
}
