import type { DeliveryStore } from '../../src/delivery/delivery-store.ts';
import { modelBatches } from './model-batches.ts';
import type { ModelClient } from './model-client.ts';
import { modelOwnership } from './model-ownership.ts';
import { modelPace } from './model-pace.ts';
import { modelReads } from './model-reads.ts';
import { modelSuppressions } from './model-suppressions.ts';
import { recordModelOutcomes } from './record-model-outcomes.ts';

/** What may be wrong with a store on purpose. */
export interface StoreFaults {
  /** Outcomes are recorded whoever owns the shard. */
  unfenced?: boolean;
  /** What is new is looked for behind the last id that was seen, without looking back. */
  withoutOverlap?: boolean;
  /** Whoever divides shares takes it that workers follow a grant as soon as it is written. */
  unconfirmed?: boolean;
  /** A request is not deleted in the transaction of the outcomes that answer it, but a while later. */
  answeredApart?: boolean;
  /** Chunks with ordering keys are read in the order of their ids, not of their places. */
  placesById?: boolean;
}

/**
 * Delivery's statements on the model, with the same promises as those on PostgreSQL: both pass
 * test/delivery/store-conformance.test.ts.
 */
export function modelStore(client: ModelClient, faults: StoreFaults = {}): DeliveryStore {
  const pace = modelPace(client, faults);
  return {
    ...modelOwnership(client),
    readPaceGrant: pace.readPaceGrant,
    reportPace: pace.reportPace,
    readPace: pace.readPace,
    grantPace: pace.grantPace,
    ...modelReads(client, faults),
    ...modelSuppressions(client),
    ...modelBatches(client),
    recordOutcomes: (flush) => recordModelOutcomes(client, flush, faults),
  };
}
