import { ArrayCutter } from './array-cutter.ts';
import { CsvCutter } from './csv-cutter.ts';
import { NdjsonCutter } from './ndjson-cutter.ts';
import type { RawSlot } from './raw-slot.ts';
import type { CutterSettings } from './record-cutter.ts';
import type { UploadProblem } from './rejection.ts';

export type UploadFormat = 'ndjson' | 'csv' | 'json';

/**
 * Cuts a streamed body into slots. Where slots end depends on the body alone, never on how it came in pieces,
 * but for `flush`. Memory is bounded by a slot and a record, whatever the body holds.
 *
 * A body that broke off is not ended: `flush` gives the complete records that are left, and the torn one is
 * not among them.
 */
export interface SlotCutter {
  /** Takes the next piece of the body, gives the slots that are full now. */
  push(bytes: Uint8Array): RawSlot[];
  /** Gives the complete records that wait for their slot to fill, as a short slot. */
  flush(): RawSlot[];
  /** The body is complete: gives what is left. */
  end(): RawSlot[];
  /** The first line that is in no slot given so far; lines before it are in one or were skipped. */
  readonly nextLine: number;
  /**
   * Why nothing more is taken, once the body cannot be cut any further. The slots given before and
   * together with it stand; what is pushed afterwards is ignored.
   */
  readonly problem: UploadProblem | undefined;
}

export function openCutter(format: UploadFormat, settings: CutterSettings): SlotCutter {
  switch (format) {
    case 'ndjson':
      return new NdjsonCutter(settings);
    case 'csv':
      return new CsvCutter(settings);
    case 'json':
      return new ArrayCutter(settings);
  }
}
