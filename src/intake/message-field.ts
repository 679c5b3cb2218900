import { fieldLimits } from '../message/field-limits.ts';
import { templateLimits } from '../message/templates/template-limits.ts';

/** What a field's value must be. `text`, `line`, `ref` and `key` are strings of at most `charsMax` characters, `line` without line breaks. */
type FieldKind =
  | 'to'
  | 'ref'
  | 'text'
  | 'line'
  | 'any'
  | 'headers'
  | 'tags'
  | 'object'
  | 'route'
  | 'priority'
  | 'time'
  | 'key'
  | 'template'
  | 'params'
  | 'unavailable';

export interface MessageField {
  name: string;
  /** The bytes of the name. */
  nameBytes: readonly number[];
  kind: FieldKind;
  /** Characters of a string; Infinity leaves it to the limit on the line. */
  charsMax: number;
  /** This field's bit in a set of fields. */
  bit: number;
}

/** Every field of a message that the interface names, built or not. */
export const messageFields: readonly MessageField[] = (
  [
    ['to', 'to', Number.POSITIVE_INFINITY],
    ['from', 'line', fieldLimits.fromCharsMax],
    ['body', 'text', Number.POSITIVE_INFINITY],
    ['html', 'text', Number.POSITIVE_INFINITY],
    ['subject', 'line', fieldLimits.subjectCharsMax],
    ['payload', 'any', Number.POSITIVE_INFINITY],
    ['headers', 'headers', Number.POSITIVE_INFINITY],
    ['ref', 'ref', fieldLimits.refCharsMax],
    ['tags', 'tags', Number.POSITIVE_INFINITY],
    ['metadata', 'object', Number.POSITIVE_INFINITY],
    ['route', 'route', fieldLimits.routeCharsMax],
    ['priority', 'priority', Number.POSITIVE_INFINITY],
    ['attachments', 'unavailable', 0],
    ['template', 'template', templateLimits.nameCharsMax],
    ['params', 'params', Number.POSITIVE_INFINITY],
    ['scheduledAt', 'time', Number.POSITIVE_INFINITY],
    ['expiresAt', 'time', Number.POSITIVE_INFINITY],
    ['orderingKey', 'key', fieldLimits.orderingKeyCharsMax],
  ] as const
).map(([name, kind, charsMax], index) => ({
  name,
  nameBytes: [...Buffer.from(name)],
  kind,
  charsMax,
  bit: 1 << index,
}));

/** No two fields share both length and first letter, so that one look and one comparison find a field. */
const fieldByShape: (MessageField | undefined)[] = [];
for (const field of messageFields) fieldByShape[shape(field.name.length, field.name.charCodeAt(0))] = field;

/** The field whose name, without escapes, lies from `start` to `end`. */
export function findField(bytes: Uint8Array, start: number, end: number): MessageField | undefined {
  const length = end - start;
  if (length < 2 || length > 11) return undefined;
  const field = fieldByShape[shape(length, bytes[start]!)];
  if (field === undefined) return undefined;
  const { nameBytes } = field;
  for (let index = 1; index < length; index++) {
    if (bytes[start + index] !== nameBytes[index]) return undefined;
  }
  return field;
}

export function fieldNamed(name: string): MessageField | undefined {
  return messageFields.find((field) => field.name === name);
}

function shape(length: number, firstByte: number): number {
  return (length << 8) | firstByte;
}
