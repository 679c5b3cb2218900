import {
  type CountryCode,
  getCountries,
  getCountryCallingCode,
  isSupportedCountry,
  Metadata,
  parsePhoneNumberFromString,
  validatePhoneNumberLength,
} from 'libphonenumber-js/min';
import { parsePhoneNumberFromString as parseMobile } from 'libphonenumber-js/mobile';
import { fieldLimits } from './field-limits.ts';

/** ISO 3166-1 alpha-2, of a country that has telephone numbers. */
export type PhoneCountry = CountryCode;

export function isPhoneCountry(code: string): code is PhoneCountry {
  return isSupportedCountry(code);
}

/**
 * A telephone number as people write it, in E.164, or why it is none: with `+` or `00` and the code of its country, or as it
 * is dialled in `country`. One that has more or fewer digits than any of its country is refused. Whether anybody has it is
 * not asked: numbers are given out all the time.
 */
export function normalisePhone(text: string, country?: PhoneCountry): { to: string } | { problem: string } {
  const written = text.replace(foreignDigit, asciiDigit).replace(between, '');
  if (!/^\+?\d+$/.test(written)) return { problem: notPhone };
  if (written.startsWith('+')) return international(written);
  const dialled = country && dialledIn(country, written);
  if (dialled !== undefined) {
    return mayLackPlus(written, dialled) ? { problem: ambiguous(written, dialled) } : international(dialled);
  }
  // What most of the world dials before the code of a country.
  if (written.startsWith('00')) return international(`+${written.slice(2)}`);
  return {
    problem: country === undefined ? noCountry : `"to" is no number that is dialled in ${country}: ${orWith}`,
  };
}

/**
 * The bytes from `start` to `end` are a number in E.164 that stays as it is: one of as many digits as all countries of its
 * code have. What this does not find, the library may: it takes a hundred times as long.
 */
export function isPlainPhone(bytes: Uint8Array, start: number, end: number): boolean {
  if (!isE164(bytes, start, end)) return false;
  const plan = planAt(bytes, start + 1);
  if ((plan & (1 << (end - start - 1))) === 0) return false;
  return (plan & keepsZero) !== 0 || bytes[start + 1 + (plan >> codeDigitsShift)] !== zero;
}

const plus = 0x2b;
const zero = 0x30;
const nine = 0x39;

/** Blanks, hyphens and dashes, dots, slashes and brackets; and marks that nobody sees, which come along in a copy. */
const between = /[\s().\-/\u2010-\u2015\u2212\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069]/g;
/** Arabic-Indic, extended Arabic-Indic and full-width digits, whose last four bits tell the digit, and the full-width plus. */
const foreignDigit = /[\u0660-\u0669\u06f0-\u06f9\uff10-\uff19\uff0b]/g;

const notPhone = '"to" must be a telephone number such as +31612345678';
const orWith = 'write it with "+" and the code of its country';
const noCountry = `"to" does not tell its country: ${orWith}, as in +31612345678, or set "defaultCountry" of the account`;

function asciiDigit(character: string): string {
  return character === '\uff0b' ? '+' : String(character.charCodeAt(0) & 0xf);
}

function ambiguous(written: string, dialled: string): string {
  return `"to" may be +${written} or ${dialled}: ${orWith}`;
}

function dialledIn(country: PhoneCountry, written: string): string | undefined {
  const parsed = parsePhoneNumberFromString(written, { defaultCountry: country, extract: false });
  return parsed?.isPossible() ? parsed.number : undefined;
}

/**
 * What is read as dialled within its country would be one of the country's mobile numbers with a plus before it. German numbers have
 * up to 15 digits and area codes that begin with 49: of a list that lost its plus signs, others would get the messages.
 */
function mayLackPlus(written: string, dialled: string): boolean {
  const code = dialled.endsWith(written) ? dialled.slice(1, -written.length) : '';
  if (code === '' || !written.startsWith(code)) return false;
  return parseMobile(`+${written}`, { extract: false })?.isValid() ?? false;
}

/** `written` is a plus and digits. */
function international(written: string, isShortened = false): { to: string } | { problem: string } {
  const bytes = Buffer.from(written);
  if (isPlainPhone(bytes, 0, bytes.length)) return { to: written };
  // It takes out what is dialled within a country only, as in +31 (0)6, where the country has that.
  const parsed = parsePhoneNumberFromString(written, { extract: false });
  if (parsed && !parsed.isPossible()) return { problem: lengthProblem(parsed) };
  const isSettled = !parsed || parsed.number === written;
  if (!isSettled && !isShortened) return international(parsed.number, true);
  // A code that no country has, as far as the library knows, is left alone.
  return isSettled && isE164(bytes, 0, bytes.length) ? { to: written } : { problem: notPhone };
}

function lengthProblem({
  number,
  countryCallingCode,
}: {
  number: string;
  countryCallingCode: string;
}): string {
  const problem = validatePhoneNumberLength(number);
  const count = problem === 'TOO_SHORT' ? 'too few' : problem === 'TOO_LONG' ? 'too many' : 'not as many';
  const than = count === 'not as many' ? 'digits as' : 'digits for';
  return `"to" has ${count} ${than} a telephone number of +${countryCallingCode}: one is missing or too much, or the code of the country is another`;
}

/** The shape alone: a plus, no zero, and 7 to 15 digits. */
export function isE164(bytes: Uint8Array, start: number, end: number): boolean {
  const digits = end - start - 1;
  if (digits < fieldLimits.phoneDigitsMin || digits > fieldLimits.phoneDigitsMax) return false;
  if (bytes[start] !== plus || bytes[start + 1] === zero) return false;
  for (let p = start + 1; p < end; p++) if (bytes[p]! < zero || bytes[p]! > nine) return false;
  return true;
}

function planAt(bytes: Uint8Array, at: number): number {
  return plans[(bytes[at]! - zero) * 100 + (bytes[at + 1]! - zero) * 10 + bytes[at + 2]! - zero]!;
}

/** Numbers of these codes may begin with a zero of their own: Italy, Côte d'Ivoire, Benin, Congo. Of others the library is asked. */
const zeroCodes = new Set(['39', '225', '229', '242']);
const keepsZero = 1 << 16;
const codeDigitsShift = 17;

/**
 * By the first three digits of a number, what is known of its code: bit n says that a number may have n digits, the code's
 * included; then come `keepsZero`, and how many digits the code has. Zero where no country has the code.
 */
const plans = readPlans();

function readPlans(): Uint32Array {
  const plans = new Uint32Array(1_000);
  const metadata = new Metadata();
  for (const country of getCountries()) {
    const code = getCountryCallingCode(country);
    metadata.selectNumberingPlan(country);
    const lengths = metadata.numberingPlan!.possibleLengths();
    const own = lengths.reduce((bits, length) => bits | (1 << (code.length + length)), 0);
    const first = Number(code.padEnd(3, '0'));
    // Several countries may share a code: what is possible in each of them is certain.
    const shared = plans[first] || own;
    const plan =
      (own & shared & (keepsZero - 1)) |
      (zeroCodes.has(code) ? keepsZero : 0) |
      (code.length << codeDigitsShift);
    plans.fill(plan, first, first + 10 ** (3 - code.length));
  }
  return plans;
}
