/**
 * The 128 bits of a UUID's canonical text (RFC 9562: 8-4-4-4-12 hexadecimal digits, upper or lower case) as
 * four words in `out`; false, and `out` undefined, when the text is no such UUID.
 */
export function readUuidWords(text: string, out: Uint32Array): boolean {
  if (text.length !== 36) return false;
  if (text.charCodeAt(8) !== dash || text.charCodeAt(13) !== dash) return false;
  if (text.charCodeAt(18) !== dash || text.charCodeAt(23) !== dash) return false;
  const a = quad(text, 0);
  const b = quad(text, 4);
  const c = quad(text, 9);
  const d = quad(text, 14);
  const e = quad(text, 19);
  const f = quad(text, 24);
  const g = quad(text, 28);
  const h = quad(text, 32);
  if ((a | b | c | d | e | f | g | h) < 0) return false;
  out[0] = (a << 16) | b;
  out[1] = (c << 16) | d;
  out[2] = (e << 16) | f;
  out[3] = (g << 16) | h;
  return true;
}

const dash = 0x2d;

/** The value of a hexadecimal digit by its character code; -1 for every other character. */
const digits = new Int8Array(128).fill(-1);
for (let value = 0; value < 16; value++) {
  digits[value.toString(16).charCodeAt(0)] = value;
  digits[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

/** Four digits as one number; negative when one of them is none. */
function quad(text: string, at: number): number {
  return (
    (digit(text, at) << 12) | (digit(text, at + 1) << 8) | (digit(text, at + 2) << 4) | digit(text, at + 3)
  );
}

function digit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 128 ? digits[code]! : -1;
}
