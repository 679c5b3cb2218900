import { normaliseRecipient } from '../message/normalise-recipient.ts';
import type { PhoneCountry } from '../message/phone-number.ts';

/**
 * The form in which a recipient is kept that an address of a request names. A plus that was not encoded arrives as a space: the first, of a number, and any of
 * an address or a URL, which hold no spaces. What can be no recipient, as things are now, is looked for as it is.
 */
export function keptForm(to: string, country: PhoneCountry | undefined): string {
  const given = /[@:]/.test(to) ? to.trimEnd().replaceAll(' ', '+') : to.replace(/^ (?=[1-9])/, '+');
  const normal = normaliseRecipient(given, { country });
  return 'to' in normal ? normal.to : given;
}
