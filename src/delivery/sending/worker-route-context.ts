import type { ChunkLoader } from '../chunks/chunk-loader.ts';
import type { Holding } from '../decisions/holding.ts';
import type { DeliveryControl } from '../delivery-control.ts';
import type { OutcomeBuffer } from '../outcomes/outcome-buffer.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { Suppressions } from '../suppressions/suppressions.ts';
import type { WorkerWindows } from '../windows/worker-windows.ts';
import { endpointOf } from './endpoint-of.ts';
import type { RouteContext } from './route-context.ts';

/** What of a worker its routes depend on. */
export interface WorkerOfRoutes
  extends Pick<RouteContext, 'clock' | 'connectors' | 'observer' | 'onError'>,
    Pick<RouteContext, 'databaseNowMs' | 'isStopping' | 'signal' | 'counts'>,
    Pick<RouteContext, 'accountPace' | 'shareOf' | 'courtesy' | 'onRecorded' | 'onRouteOpened'>,
    Partial<Pick<RouteContext, 'random' | 'onBreaker'>> {
  control: DeliveryControl;
  ownership: Pick<Ownership, 'deadlineMs'>;
  outcomes: Pick<OutcomeBuffer, 'full' | 'addUrgent'>;
  holding: Pick<Holding, 'batches' | 'heldAs'>;
  suppressions: Pick<Suppressions, 'known' | 'isSuppressed'>;
  windows: Pick<WorkerWindows, 'messages' | 'onBatchClosed' | 'onPutOff'>;
  loader: Pick<ChunkLoader, 'want'>;
}

/** What the runners of all routes of a worker have in common. */
export function workerRouteContext(worker: WorkerOfRoutes): RouteContext {
  const { control, ownership, outcomes, holding, suppressions, windows, loader } = worker;
  const { observer, random = Math.random, onBreaker = () => {}, isStopping } = worker;
  const mayLeave = (nowMs: number) => !isStopping() && nowMs < ownership.deadlineMs;
  /** It is known what must not be sent: what is held, and which accounts have suppressions. */
  const isWarned = () => holding.batches.known && suppressions.known;
  return {
    ...(observer && { observer }),
    clock: worker.clock,
    random,
    connectors: worker.connectors,
    endpoints: {
      of: (accountId, name) => endpointOf(control.webhookOf(accountId, name)),
      signingKeyOf: (accountId) => control.signingKeyOf(accountId),
      catchUp: () => control.catchUp(),
    },
    onError: worker.onError,
    onBreaker,
    counts: worker.counts,
    signal: worker.signal,
    isStopping,
    mayTake: (nowMs) => mayLeave(nowMs) && isWarned() && !outcomes.full,
    mayLeave,
    leaseStands: (nowMs) => nowMs < ownership.deadlineMs && isWarned(),
    isHeld: ({ chunk }) => chunk.batch !== null && holding.heldAs(chunk.batch) !== undefined,
    windows: windows.messages,
    onBatchClosed: (work, untilMs) => windows.onBatchClosed(work, untilMs),
    onPutOff: (work) => windows.onPutOff(work),
    onRouteOpened: worker.onRouteOpened,
    isSuppressed: (work, offset, to) => suppressions.isSuppressed(work, offset, to),
    databaseNowMs: worker.databaseNowMs,
    accountPace: worker.accountPace,
    courtesy: worker.courtesy,
    shareOf: worker.shareOf,
    onRecorded: worker.onRecorded,
    onMarked: (work, messages, recorded) => outcomes.addUrgent(work, messages, recorded),
    onTaken: (lane) => loader.want(lane),
  };
}
