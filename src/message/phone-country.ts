import { getCountries, getCountryCallingCode, parsePhoneNumberFromString } from 'libphonenumber-js/min';

export interface CallingCountry {
  /** The name in English; null where several countries share the code and the number is none of theirs. */
  name: string | null;
  /** The country calling code. */
  prefix: number;
}

const names = new Intl.DisplayNames(['en'], { type: 'region' });
/** A country calling code has so many digits at most, and none is the beginning of another. */
const codeDigitsMax = 3;
let countriesByCode: ReadonlyMap<string, readonly string[]> | undefined;

/** Where an E.164 number belongs; undefined for one whose code nobody has. */
export function callingCountryOf(number: string): CallingCountry | undefined {
  const parsed = parsePhoneNumberFromString(number);
  if (!parsed) return undefined;
  const name = parsed.country === undefined ? null : (names.of(parsed.country) ?? null);
  return { name, prefix: Number(parsed.countryCallingCode) };
}

/**
 * The country of an E.164 number, as ISO 3166-1 has it; all that share its code where it is of none of them, and nothing where no
 * country has it. Only numbers of shared codes are taken apart, which takes some 40 µs.
 */
export function possibleCountries(number: string): readonly string[] {
  if (!number.startsWith('+')) return [];
  countriesByCode ??= readCodes();
  for (let digits = 1; digits <= codeDigitsMax; digits++) {
    const countries = countriesByCode.get(number.slice(1, 1 + digits));
    if (countries === undefined) continue;
    const country = countries.length > 1 ? parsePhoneNumberFromString(number)?.country : undefined;
    return country === undefined ? countries : [country];
  }
  return [];
}

function readCodes(): Map<string, string[]> {
  const byCode = new Map<string, string[]>();
  for (const country of getCountries()) {
    const code = getCountryCallingCode(country);
    byCode.set(code, [...(byCode.get(code) ?? []), country]);
  }
  return byCode;
}
