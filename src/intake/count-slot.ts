import { decodeChunk, splitFrame } from '../message/chunk-codec.ts';
import type { Channel, MessageFields } from '../message/fields.ts';
import type { TemplateVersion } from '../message/templates/compile-template.ts';
import type { TemplatePins } from '../message/templates/pins.ts';
import type { LoadedTemplate } from '../message/templates/templated-text.ts';
import { compiledVersions } from './compiled-versions.ts';
import { isSms, renderedPartsOf } from './message-parts.ts';
import type { PackedSlot } from './pack-slot.ts';

/** A packed slot of which lines name templates, and how these are rendered. */
export interface SlotToCount extends Pick<PackedSlot, 'count' | 'codec' | 'payload'> {
  messageParts: PackedSlot['messageParts'] | undefined;
  keyed: Pick<NonNullable<PackedSlot['keyed']>, 'records' | 'ends' | 'parts'> | undefined;
  pins: TemplatePins;
  /** Lines of other versions stay as they are counted. */
  versions: readonly TemplateVersion[];
  channel: Channel | undefined;
  batchParams: Record<string, unknown> | undefined;
}

/** The SMS that each message takes, without an ordering key and with one. */
export interface SlotParts {
  messageParts: PackedSlot['messageParts'] | undefined;
  keyedParts: Uint16Array | undefined;
}

/** Counts the SMS of those messages that name templates, by what the versions make of them to which they are pinned. */
export function countSlot(slot: SlotToCount): SlotParts {
  const byId = compiledVersions(slot.versions);
  const { keyed, messageParts } = slot;
  if (messageParts && slot.count > 0) {
    const records = splitFrame(decodeChunk(slot.codec, slot.payload));
    for (const [index, record] of records.entries()) {
      const parts = partsOf(record, { slot, byId });
      if (parts !== undefined) messageParts[index] = parts;
    }
  }
  let start = 0;
  for (const [index, end] of keyed?.ends.entries() ?? []) {
    const record = Buffer.from(keyed!.records.buffer, keyed!.records.byteOffset + start, end - start);
    const parts = partsOf(record.toString(), { slot, byId });
    if (parts !== undefined) keyed!.parts[index] = parts;
    start = end;
  }
  return { messageParts, keyedParts: keyed?.parts };
}

/** Undefined for one that is counted already, or is by another of the slot's versions. */
function partsOf(
  record: string,
  { slot, byId }: { slot: SlotToCount; byId: ReadonlyMap<number, LoadedTemplate> },
): number | undefined {
  const fields = JSON.parse(record) as MessageFields;
  if (fields.template === undefined || !isSms(slot.channel, fields.to?.charCodeAt(0))) return undefined;
  const template = byId.get(slot.pins[fields.template]!);
  return template && renderedPartsOf(fields, { template, batchParams: slot.batchParams });
}
