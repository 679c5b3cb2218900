import { normaliseRecipient } from '../message/normalise-recipient.ts';
import type { PhoneCountry } from '../message/phone-number.ts';

/**
 * The form in which a recipient is kept that an address of a request names. A plus that was not encoded arrives as a space: the first, of a number, and any of
 * an address or a URL, which hold no spaces. Digits that are no number as they stand are one with its plus left out, as other systems show
 * them. What can be no recipient, as things are now, is looked for as it is.
 */
export function keptForm(to: string, country: PhoneCountry | undefined): string {
  const given = /[@:]/.test(to) ? to.trimEnd().replaceAll(' ', '+') : to.replace(/^ (?=[1-9])/, '+');
  const normal = normaliseRecipient(given, { country });
  if ('to' in normal) return normal.to;
  const withPlus = /^[1-9]\d+$/.test(given) ? normaliseRecipient(`+${given}`, {}) : normal;
  return 'to' in withPlus ? withPlus.to : given;
}
