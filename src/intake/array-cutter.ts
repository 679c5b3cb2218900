import { limits } from '../message/limits.ts';
import { RecordCutter } from './record-cutter.ts';

/** Where in the array the next byte lies: before its bracket, between elements, in one, behind the array. */
type Place = 'before' | 'first' | 'next' | 'element' | 'after';

/**
 * A JSON array whose elements are records; a line is an element. Elements are found by their brackets and
 * strings alone and judged later, one by one. Where brackets do not match or a string is not closed on its
 * line, nobody can tell where the next element begins, and what was inside a string might be taken for one:
 * then the upload ends there.
 */
export class ArrayCutter extends RecordCutter {
  protected override readonly format = 'json';
  #place: Place = 'before';
  #inString = false;
  /** The byte before was a backslash in a string. */
  #escaping = false;
  /** Open brackets inside the element, and the closing bracket that each of the first ones needs. */
  #depth = 0;
  readonly #closers = new Uint8Array(depthFollowed);
  /** Bytes of the open element that were looked at. */
  #seen = 0;
  #dropping = false;

  protected override scan(): void {
    let p = this.open + this.#seen;
    while (p < this.length && this.problem === undefined) {
      if (this.#place === 'element') p = this.#inString ? this.#walkString(p) : this.#walkElement(p);
      else p = this.#between(p);
    }
    this.#seen = this.#place === 'element' ? this.length - this.open : 0;
    if (this.#dropping || this.#seen > heldBytesMax) {
      this.#dropping = true;
      this.dropOpen();
      this.#seen = 0;
    }
  }

  protected override scanEnd(): void {
    if (this.#place === 'after') return;
    if (this.#place === 'before') {
      this.stop({ code: 'not_an_array', detail: 'the body is empty; it must be a JSON array' });
    } else {
      const detail = 'the body ends before the closing bracket; from this element on nothing was taken';
      this.stop({ code: 'unterminated_array', detail });
    }
  }

  /** Looks at one byte outside of elements and gives the index to go on from. */
  #between(p: number): number {
    const byte = this.buffer[p]!;
    if (isSpace(byte)) {
      this.open = p + 1;
      return p + 1;
    }
    if (this.#place === 'before') return this.#openArray(byte, p);
    if (this.#place === 'after') {
      this.stop({ code: 'trailing_data', detail: 'there is something after the closing bracket' });
      return p;
    }
    if (byte === closeBracket || byte === comma) return this.#missingElement(byte, p);
    this.#place = 'element';
    this.open = p;
    return p;
  }

  #openArray(byte: number, p: number): number {
    if (byte !== openBracket) {
      const detail =
        byte === openBrace
          ? 'the body must be a JSON array; for one object a line the content type is application/x-ndjson'
          : 'the body must be a JSON array';
      this.stop({ code: 'not_an_array', detail });
      return p;
    }
    this.#place = 'first';
    this.open = p + 1;
    return p + 1;
  }

  #missingElement(byte: number, p: number): number {
    const empty = byte === closeBracket && this.#place === 'first';
    this.#place = byte === comma ? 'next' : 'after';
    if (empty) {
      this.open = p + 1;
      return p + 1;
    }
    const detail = `there is no element ${byte === comma ? 'before' : 'after'} the comma`;
    this.refuse({ code: 'invalid_json', detail }, p + 1, this.line + 1);
    return this.open;
  }

  #walkElement(from: number): number {
    const { buffer, length } = this;
    for (let p = from; p < length; p++) {
      const byte = buffer[p]!;
      if (byte === quote) {
        this.#inString = true;
        return p + 1;
      }
      if (byte === openBrace || byte === openBracket) {
        if (this.#depth < depthFollowed) this.#closers[this.#depth] = byte + 2;
        this.#depth++;
      } else if (byte === closeBrace || byte === closeBracket) {
        if (this.#depth === 0 && byte === closeBracket) return this.#endElement(p);
        if (!this.#closes(byte)) return this.#broken('brackets do not match', p);
      } else if (byte === comma) {
        if (this.#depth === 0) return this.#endElement(p);
      } else if (byte === backslash) {
        return this.#broken('there is a backslash outside of a string', p);
      }
    }
    return length;
  }

  #closes(byte: number): boolean {
    if (this.#depth === 0) return false;
    this.#depth--;
    return this.#depth >= depthFollowed || this.#closers[this.#depth] === byte;
  }

  #walkString(from: number): number {
    const { buffer, length } = this;
    let p = from;
    if (this.#escaping) {
      this.#escaping = false;
      p++;
    }
    for (; p < length; p++) {
      const byte = buffer[p]!;
      if (byte === quote) {
        this.#inString = false;
        return p + 1;
      }
      if (byte < 0x20) return this.#broken('a string is not closed before a control character', p);
      if (byte === backslash) p++;
    }
    this.#escaping = p > length;
    return length;
  }

  /** The element ends before the comma or the closing bracket at `at`. */
  #endElement(at: number): number {
    this.#place = this.buffer[at] === comma ? 'next' : 'after';
    const dropped = this.#dropping;
    this.#dropping = false;
    let end = at;
    while (end > this.open && isSpace(this.buffer[end - 1]!)) end--;
    const nextLine = this.line + 1;
    const unfit = end - this.open > limits.lineBytesMax || at - this.open > heldBytesMax;
    if (dropped || unfit) this.refuse(tooLong, at + 1, nextLine);
    else this.keep(end, at + 1, nextLine);
    return this.open;
  }

  #broken(what: string, p: number): number {
    const detail = `${what}; from this element on nothing was taken`;
    this.stop({ code: 'broken_array', detail });
    return p;
  }
}

/** Deeper brackets are only counted: such an element is refused for its nesting in any case. */
const depthFollowed = 2 * limits.nestingMax;

/** An element with the white space between it and its comma. */
const heldBytesMax = limits.lineBytesMax + 1_024;

const tooLong = {
  code: 'line_too_long',
  detail: `the element is longer than ${limits.lineBytesMax} bytes`,
} as const;

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
