import { byWeight } from '../lib/by-weight.ts';
import { turns } from '../lib/turns.ts';
import type { MessageFields } from '../message/fields.ts';
import type { TemplateVersion } from '../message/templates/compile-template.ts';
import type { LoadedTemplate } from '../message/templates/templated-text.ts';
import { renderedPartsOf } from './message-parts.ts';
import type { PackPool } from './pack-pool.ts';
import type { PackedSlot, PackSettings } from './pack-slot.ts';
import type { ParsedMessage } from './parse-messages.ts';

type LoadTemplates = (ids: readonly number[]) => Promise<ReadonlyMap<number, LoadedTemplate>>;

/** Characters of the templates that go to a thread together; its memory is small. */
const versionCharsMax = 1_048_576;

/**
 * Counts the SMS of the messages of a slot that name templates: which versions they need is known once it is packed. Of an
 * account whose SMS are not counted nothing is done.
 */
export async function countRenderedSlot(
  packed: PackedSlot,
  { settings, pool, load }: { settings: PackSettings; pool: Pick<PackPool, 'count'>; load: LoadTemplates },
): Promise<PackedSlot> {
  const { templates: pins } = packed;
  if (!settings.countParts || !pins) return packed;
  const versions = [...(await load(Object.values(pins))).values()].map(({ source }) => source);
  const { channel, batchParams } = settings;
  let counted = packed;
  for (const some of byWeight(versions, { weight: charsOf, max: versionCharsMax })) {
    const { count, codec, payload, messageParts, keyed } = counted;
    const slot = { count, codec, payload, messageParts, keyed, pins, versions: some, channel, batchParams };
    const parts = await pool.count(slot);
    counted = {
      ...counted,
      ...(parts.messageParts && { messageParts: parts.messageParts }),
      ...(keyed && parts.keyedParts && { keyed: { ...keyed, parts: parts.keyedParts } }),
    };
  }
  return counted;
}

function charsOf({ subject, body, html }: TemplateVersion): number {
  return (subject?.length ?? 0) + (body?.length ?? 0) + (html?.length ?? 0);
}

/** The same for the messages of a request. A template may make much work of every short message. */
export async function countRenderedMessages(
  messages: readonly ParsedMessage[],
  { load }: { load: LoadTemplates },
): Promise<void> {
  const rendered = messages.filter(({ isCountedByTemplate }) => isCountedByTemplate);
  if (rendered.length === 0) return;
  const pinOf = ({ templates }: ParsedMessage) => Object.values(templates!)[0]!;
  const byId = await load([...new Set(rendered.map(pinOf))]);
  const turn = turns();
  for (const message of rendered) {
    const template = byId.get(pinOf(message));
    if (!template) continue;
    message.parts = renderedPartsOf(JSON.parse(message.line.toString()) as MessageFields, { template });
    await turn();
  }
}
