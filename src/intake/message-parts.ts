import type { Channel, MessageFields } from '../message/fields.ts';
import { countSmsParts, smsCodingOf } from '../message/sms-parts.ts';
import type { CompiledTemplate } from '../message/templates/compile-template.ts';
import { mergedParams } from '../message/templates/params-problem.ts';
import { RenderError } from '../message/templates/template-error.ts';

const plus = 0x2b;

/** What is not sent to a telephone counts as one part. */
export function isSms(channel: Channel | undefined, firstByteOfTo: number | undefined): boolean {
  return channel === 'sms' || (channel === undefined && firstByteOfTo === plus);
}

/** The SMS that a message takes; `record` is its JSON, `body` what its batch sets for lines without one. */
export function smsPartsOf(record: string, body = ''): number {
  return partsOfText((JSON.parse(record) as { body?: string }).body ?? body);
}

/** The same of a message that says its text by a template. One that cannot be rendered fails: it counts as one. */
export function renderedPartsOf(
  { params }: Pick<MessageFields, 'params'>,
  by: { template: CompiledTemplate; batchParams?: Record<string, unknown> | undefined },
): number {
  try {
    return partsOfText(by.template.render(mergedParams(params, by.batchParams)).body ?? '');
  } catch (error) {
    if (error instanceof RenderError) return 1;
    throw error;
  }
}

function partsOfText(text: string): number {
  return countSmsParts(text, smsCodingOf(text)).parts;
}
