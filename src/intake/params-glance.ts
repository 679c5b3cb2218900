import type { TemplateNeeds } from '../message/templates/find-needs.ts';

/** A name in a set of names is a bit. */
const namesMax = 31;

/**
 * Sees by the bytes of `params` that they are what a template needs, without making values of them: parsed, each line of a flood
 * took 2.7 µs more, because V8 keeps one copy of every short text that it parses. What it is not sure of is for
 * `paramsProblem` to say.
 */
export class ParamsGlance {
  readonly #names: Uint8Array[] = [];
  /** Bits of those that a message must bring itself. */
  #required = 0;
  /** Its needs are none that bytes tell of. */
  #isBlind: boolean;

  constructor(
    { required, optional }: Pick<TemplateNeeds, 'required' | 'optional'>,
    defaults: Record<string, unknown> | undefined,
  ) {
    const names = [...required, ...optional];
    this.#isBlind = names.length > namesMax || names.some((name) => name.includes('.'));
    for (const [index, name] of names.entries()) {
      this.#names.push(Buffer.from(name));
      const given = defaults !== undefined && Object.hasOwn(defaults, name) ? defaults[name] : null;
      if (typeof given === 'object' && given !== null) this.#isBlind = true;
      if (index < required.length && given === null) this.#required |= 1 << index;
    }
  }

  /** True only where nothing is wrong. The object from `start` to `end` is valid JSON; both are -1 where there is none. */
  isFine(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#isBlind) return false;
    let seen = 0;
    // Of a name that occurs twice the last value counts.
    let unsure = 0;
    for (let p = start === -1 ? end : skipSpace(bytes, start + 1); p < end && bytes[p] !== closeBrace; ) {
      const nameEnd = nameEndOf(bytes, p + 1);
      if (nameEnd === -1) return false;
      const bit = this.#bitOf(bytes, p + 1, nameEnd);
      const valueStart = skipSpace(bytes, skipSpace(bytes, nameEnd + 1) + 1);
      seen |= bit;
      unsure = isPrintable(bytes[valueStart]!) ? unsure & ~bit : unsure | bit;
      p = skipSpace(bytes, valueEndOf(bytes, valueStart));
      if (bytes[p] === comma) p = skipSpace(bytes, p + 1);
    }
    return unsure === 0 && (this.#required & ~seen) === 0;
  }

  /** 0 for a name that the template does not know. */
  #bitOf(bytes: Uint8Array, start: number, end: number): number {
    for (let index = 0; index < this.#names.length; index++) {
      const name = this.#names[index]!;
      if (name.length !== end - start) continue;
      let at = 0;
      while (at < name.length && name[at] === bytes[start + at]) at++;
      if (at === name.length) return 1 << index;
    }
    return 0;
  }
}

/** Where the quote is that ends a name; -1 for one with escapes. */
function nameEndOf(bytes: Uint8Array, start: number): number {
  let p = start;
  while (bytes[p] !== quote) if (bytes[p++] === backslash) return -1;
  return p;
}

/** A text, a number, true or false. */
function isPrintable(first: number): boolean {
  return first !== openBrace && first !== openBracket && first !== letterN;
}

function valueEndOf(bytes: Uint8Array, start: number): number {
  let depth = 0;
  let p = start;
  for (;;) {
    const byte = bytes[p]!;
    if (byte === quote) p = stringEndOf(bytes, p + 1);
    else if (byte === openBrace || byte === openBracket) {
      depth++;
      p++;
    } else if (byte === closeBrace || byte === closeBracket) {
      if (depth === 0) return p;
      depth--;
      p++;
    } else if (byte === comma && depth === 0) return p;
    else p++;
    if (depth === 0 && (bytes[p] === comma || bytes[p] === closeBrace)) return p;
  }
}

/** Behind the quote that ends it. */
function stringEndOf(bytes: Uint8Array, start: number): number {
  let p = start;
  while (bytes[p] !== quote) p += bytes[p] === backslash ? 2 : 1;
  return p + 1;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let p = from;
  while (bytes[p]! <= 0x20) p++;
  return p;
}

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const letterN = 0x6e;
const openBrace = 0x7b;
const closeBrace = 0x7d;
