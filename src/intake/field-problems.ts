import { fieldLimits } from '../message/field-limits.ts';
import type { MessageField } from './message-field.ts';
import { quoted, type RecordProblem } from './rejection.ts';

export function unknownField(name: string): RecordProblem {
  const detail = `${quoted(name)} is not a field of a message; put your own under "metadata"`;
  return { code: 'unknown_field', detail };
}

export function wrongType(field: MessageField, wanted: string): RecordProblem {
  return { code: 'wrong_type', detail: `"${field.name}" must be ${wanted}` };
}

/** Characters are Unicode code points, so that an emoji counts once. */
export function lengthProblem(what: string, text: string, charsMax: number): RecordProblem | undefined {
  if (text.length <= charsMax) return undefined;
  let count = 0;
  for (const _ of text) count++;
  if (count <= charsMax) return undefined;
  return { code: 'too_long', detail: `${what} has ${count} characters; the limit is ${charsMax}` };
}

/** Of what becomes a header of an e-mail, or a sender that a telephone shows. */
export function lineProblem(what: string, text: string): RecordProblem | undefined {
  if (!control.test(text)) return undefined;
  return { code: 'invalid_value', detail: `${what} must be one line, without control characters` };
}

export function tagsProblem(value: unknown): RecordProblem | undefined {
  if (!Array.isArray(value) || value.some((tag) => typeof tag !== 'string')) {
    return { code: 'wrong_type', detail: '"tags" must be an array of strings' };
  }
  if (value.length > fieldLimits.tagsMax) {
    return { code: 'too_long', detail: `"tags" has ${value.length}; the limit is ${fieldLimits.tagsMax}` };
  }
  for (const tag of value) {
    // PostgreSQL has no text with it, and tags are counted there.
    if (tag.includes('\0')) return { code: 'invalid_value', detail: 'a tag contains the character U+0000' };
    const problem = lengthProblem('a tag', tag, fieldLimits.tagCharsMax);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Control characters are refused: a line break in a value would let a sender write headers of its own. */
export function headersProblem(value: unknown): RecordProblem | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { code: 'wrong_type', detail: '"headers" must be an object of strings' };
  }
  const entries = Object.entries(value);
  if (entries.length > fieldLimits.headersMax) {
    const detail = `"headers" has ${entries.length}; the limit is ${fieldLimits.headersMax}`;
    return { code: 'too_long', detail };
  }
  for (const [name, text] of entries) {
    const problem = headerProblem(name, text);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** RFC 9110, 5.6.2: the characters of a header's name. */
const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is its purpose
const control = /[\u0000-\u0008\u000a-\u001f\u007f]/;

function headerProblem(name: string, text: unknown): RecordProblem | undefined {
  if (typeof text !== 'string')
    return { code: 'wrong_type', detail: `header ${quoted(name)} must be a string` };
  if (!headerName.test(name)) {
    return { code: 'invalid_value', detail: `${quoted(name)} cannot be the name of a header` };
  }
  if (control.test(text)) {
    return { code: 'invalid_value', detail: `header ${quoted(name)} contains a control character` };
  }
  return lengthProblem(`header ${quoted(name)}`, name + text, fieldLimits.headerCharsMax);
}
