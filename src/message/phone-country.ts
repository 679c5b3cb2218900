import { parsePhoneNumberFromString } from 'libphonenumber-js/min';

export interface PhoneCountry {
  /** The name in English; null where several countries share the code and the number is none of theirs. */
  name: string | null;
  /** The country calling code. */
  prefix: number;
}

const names = new Intl.DisplayNames(['en'], { type: 'region' });

/** Where an E.164 number belongs; undefined for one whose code nobody has. */
export function phoneCountryOf(number: string): PhoneCountry | undefined {
  const parsed = parsePhoneNumberFromString(number);
  if (!parsed) return undefined;
  const name = parsed.country === undefined ? null : (names.of(parsed.country) ?? null);
  return { name, prefix: Number(parsed.countryCallingCode) };
}
