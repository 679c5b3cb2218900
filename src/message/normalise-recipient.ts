import { domainToASCII } from 'node:url';
import { fieldLimits } from './field-limits.ts';
import type { Channel } from './fields.ts';
import { isPlainPhone, normalisePhone, type PhoneCountry } from './phone-number.ts';
import { isEmail, isPlainEmail, isWebhookTarget } from './recipient.ts';

/** What a recipient is judged by. */
export interface RecipientRules {
  /** Of the route: it fixes what `to` may be. Without one, a telephone number or an e-mail address will do. */
  channel?: Channel | undefined;
  /** Where numbers are dialled that do not tell their country: `defaultCountry` of the account. */
  country?: PhoneCountry | undefined;
}

/** The form in which a recipient is kept, or why it is none. */
export type NormalRecipient = { to: string } | { problem: string };

/**
 * The form in which a recipient is kept, sent to and found: of a telephone number E.164, of an e-mail address its domain in
 * lower case and in ASCII. That form is given back as it is.
 */
export function normaliseRecipient(text: string, { channel, country }: RecipientRules): NormalRecipient {
  const bytes = Buffer.from(text);
  if (bytes.length > fieldLimits.toBytesMax) {
    return { problem: `"to" is longer than ${fieldLimits.toBytesMax} bytes` };
  }
  switch (channel) {
    case 'sms':
      return normalisePhone(text, country);
    case 'email':
      return normaliseEmail(text);
    case 'webhook':
      return isWebhookTarget(bytes, 0, bytes.length) ? { to: text } : { problem: notTarget };
    default:
      if (text.includes('@')) return normaliseEmail(text);
      return /\d/.test(text) ? normalisePhone(text, country) : { problem: notEither };
  }
}

/** The bytes from `start` to `end`, unescaped UTF-8, are in that form: told of most without making a text of them. */
export function isNormalRecipient(
  bytes: Uint8Array,
  { start, end, channel }: { start: number; end: number; channel: Channel | undefined },
): boolean {
  switch (channel) {
    case 'sms':
      return isPlainPhone(bytes, start, end);
    case 'email':
      return isPlainEmail(bytes, start, end);
    case 'webhook':
      return end - start <= fieldLimits.toBytesMax && isWebhookTarget(bytes, start, end);
    default:
      return isPlainPhone(bytes, start, end) || isPlainEmail(bytes, start, end);
  }
}

const notEmail = '"to" must be an e-mail address such as ada@example.com';
const named = '"to" must be the address alone, such as ada@example.com, without a name or brackets';
const notTarget = '"to" must be an absolute http or https URL, or the name of a webhook of the account';
const notEither = '"to" must be a telephone number such as +31612345678, or an e-mail address';

/** A name beside the address is refused: it would not be sent. */
function normaliseEmail(text: string): NormalRecipient {
  const written = text.trim();
  if (written.endsWith('>')) return { problem: named };
  const at = written.lastIndexOf('@');
  const to = `${written.slice(0, at + 1)}${asciiDomain(written.slice(at + 1))}`;
  const bytes = Buffer.from(to);
  return isEmail(bytes, 0, bytes.length) ? { to } : { problem: notEmail };
}

/** Empty for what can be no domain. One in ASCII is not taken for a URL's host, which would make numbers addresses. */
function asciiDomain(domain: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is that of ASCII
  return /^[\x00-\x7f]*$/.test(domain) ? domain.toLowerCase() : domainToASCII(domain);
}
