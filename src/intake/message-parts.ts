import type { Channel } from '../message/fields.ts';
import { countSmsParts, smsCodingOf } from '../message/sms-parts.ts';

const plus = 0x2b;

/** What is not sent to a telephone counts as one part. */
export function isSms(channel: Channel | undefined, firstByteOfTo: number | undefined): boolean {
  return channel === 'sms' || (channel === undefined && firstByteOfTo === plus);
}

/** The SMS that a message takes; `record` is its JSON, `body` what its batch sets for lines without one. */
export function smsPartsOf(record: string, body = ''): number {
  const text = (JSON.parse(record) as { body?: string }).body ?? body;
  return countSmsParts(text, smsCodingOf(text)).parts;
}
