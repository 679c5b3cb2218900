/** How the text of an SMS is coded: the GSM 7-bit default alphabet (3GPP TS 23.038, 6.2.1), or UCS-2. */
export type SmsCoding = 'gsm7' | 'ucs2';

export interface SmsParts {
  /** SMS that carry the text; an empty text takes one. */
  parts: number;
  /** Septets of the GSM alphabet, or 16-bit units of UCS-2. */
  units: number;
}

/**
 * 140 bytes are 160 septets or 70 units. In each of several SMS six of the bytes are the header that joins them again
 * (3GPP TS 23.040, 9.2.3.24.1), which leaves 153 and 67.
 */
const unitsOfOne: Record<SmsCoding, number> = { gsm7: 160, ucs2: 70 };
const unitsOfEach: Record<SmsCoding, number> = { gsm7: 153, ucs2: 67 };

const basic =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
  '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
/** Each is an escape and a second septet. */
const extension = '\f^{}\\[~]|€';

const septets = new Map<string, number>([
  ...[...basic].map((character) => [character, 1] as const),
  ...[...extension].map((character) => [character, 2] as const),
]);

/** What a text needs: UCS-2 as soon as one character is not in the GSM alphabet. */
export function smsCodingOf(text: string): SmsCoding {
  for (const character of text) if (!septets.has(character)) return 'ucs2';
  return 'gsm7';
}

/** The text with `?` for each character that the GSM alphabet does not have. */
export function inGsmAlphabet(text: string): string {
  let replaced = '';
  for (const character of text) replaced += septets.has(character) ? character : '?';
  return replaced;
}

/**
 * How many SMS carry a text. None of them ends within a character, neither between an escape and its septet nor between
 * the halves of a surrogate pair: so a text may take one more than its units alone would.
 * `gsm7` is for a text that is in the GSM alphabet.
 */
export function countSmsParts(text: string, coding: SmsCoding): SmsParts {
  const each = unitsOfEach[coding];
  let units = 0;
  let parts = 1;
  let room = each;
  for (const character of text) {
    const width = coding === 'gsm7' ? septets.get(character)! : character.length;
    units += width;
    if (width > room) {
      parts++;
      room = each;
    }
    room -= width;
  }
  return units <= unitsOfOne[coding] ? { parts: 1, units } : { parts, units };
}
