import { parseTime } from '../lib/parse-time.ts';
import { textOf } from '../lib/utf8.ts';
import type { Channel, Priority } from '../message/fields.ts';
import { isNormalRecipient, normaliseRecipient } from '../message/normalise-recipient.ts';
import type { PhoneCountry } from '../message/phone-number.ts';
import {
  headersProblem,
  lengthProblem,
  lineProblem,
  tagsProblem,
  unknownField,
  wrongType,
} from './field-problems.ts';
import { JsonScanner } from './json-scanner.ts';
import { fieldNamed, findField, type MessageField } from './message-field.ts';
import type { RecordProblem, RejectionCode } from './rejection.ts';
import { notATime, type TimeRules, timesProblem } from './time-rules.ts';

export interface MessageScannerSettings {
  /**
   * `batch` takes a line of a batch and judges `to` by the channel of its route. `single` takes an element of
   * `POST /v1/messages`, which may name `route` and `priority`; its `to` is for the caller to judge, with `takeRecipient`,
   * once the route is known.
   */
  mode: 'batch' | 'single';
  channel?: Channel | undefined;
  /** Where telephone numbers are dialled that do not tell their country. */
  country?: PhoneCountry | undefined;
  /** Absent: any schedule is taken. */
  times?: TimeRules | undefined;
}

/**
 * Judges one JSON record in one pass over its bytes, without building its values: measured 0.37 µs for a line
 * of 114 bytes, where JSON.parse takes 0.88 and does not tell which numbers it rounded.
 *
 * Of a name that occurs twice the last value counts, as in JSON.parse. One scanner serves many records; what
 * it found stands in its fields until the next `scan`.
 */
export class MessageScanner {
  /** The problem of the record scanned last, when `scan` gave false. */
  problem: RecordProblem | undefined;
  /** The record without the white space around it. */
  recordStart = 0;
  recordEnd = 0;
  /** The text of `to` lies in `toBytes` from `toStart` to `toEnd`, unescaped; once it is judged, in the form that is kept. */
  toBytes: Uint8Array = new Uint8Array(0);
  toStart = 0;
  toEnd = 0;
  /** The text of `ref`, in the same way; `refStart` is -1 when the record has none. */
  refBytes: Uint8Array = this.toBytes;
  refStart = -1;
  refEnd = -1;
  /** The text of `orderingKey`, in the same way; `keyStart` is -1 when the record has none. */
  keyBytes: Uint8Array = this.toBytes;
  keyStart = -1;
  keyEnd = -1;
  /** The name of the template that the record says what it says by. */
  template: string | undefined;
  /** Only in mode `single`. */
  route: string | undefined;
  priority: Priority | undefined;
  /** The record's own times, in Unix milliseconds. */
  scheduledAtMs: number | undefined;
  expiresAtMs: number | undefined;

  /** The value of `to` lies from here to `#toAfter`, in the bytes that were scanned, its quotes included. */
  #toFrom = 0;
  #toAfter = 0;
  #isRewritten = false;
  /** `params` lies from here to `#paramsEnd`, in the bytes that were scanned. */
  #paramsStart = -1;
  #paramsEnd = -1;
  #viewed: Uint8Array | undefined;
  #view: Buffer = Buffer.alloc(0);
  readonly #json = new JsonScanner();
  readonly #single: boolean;
  readonly #channel: Channel | undefined;
  readonly #country: PhoneCountry | undefined;
  readonly #times: TimeRules;
  /** Bits of the fields seen, and of those whose last value is bad. */
  #seen = 0;
  #bad = 0;
  /** By bit; only those in `#bad` count. */
  readonly #fieldProblems = new Map<number, RecordProblem>();
  #unknown: RecordProblem | undefined;

  constructor(settings: MessageScannerSettings) {
    this.#single = settings.mode === 'single';
    this.#channel = settings.channel;
    this.#country = settings.country;
    this.#times = settings.times ?? { latestMs: Number.POSITIVE_INFINITY };
  }

  /** `bytes[end]` must be a line feed and the record valid UTF-8 (see `isValidUtf8` of `lib/utf8.ts`). */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    const json = this.#json;
    json.start(bytes, end);
    this.#reset();
    const from = json.skipSpace(start);
    this.recordStart = from;
    const after = bytes[from] === 0x7b ? this.#scanObject(from) : json.skipValue(from, 0);
    if (after === -1) return this.#refuseSyntax();
    this.recordEnd = after;
    const rest = after === end ? end : json.skipSpace(after);
    if (rest !== end) {
      json.unexpected(rest, 'the end of the record');
      return this.#refuseSyntax();
    }
    if (this.#bad !== 0 || this.#unknown !== undefined) return this.#refuseField();
    if (json.impreciseAt !== -1 || json.loneSurrogateAt !== -1) return this.#refuseValue();
    if (bytes[from] !== 0x7b) return this.#refuse('not_an_object', 'a message must be a JSON object');
    if ((this.#seen & 1) === 0) return this.#refuse('missing_to', 'a message needs a "to"');
    if (this.template !== undefined && this.hasText)
      return this.#refuse('template_and_text', templateAndText);
    return !this.hasTimes || this.#checkTimes();
  }

  #reset(): void {
    if (this.hasTimes) {
      this.scheduledAtMs = undefined;
      this.expiresAtMs = undefined;
    }
    this.problem = undefined;
    this.#seen = 0;
    this.#bad = 0;
    this.#unknown = undefined;
    this.refStart = -1;
    this.refEnd = -1;
    this.keyStart = -1;
    this.keyEnd = -1;
    this.template = undefined;
    this.#paramsStart = -1;
    this.route = undefined;
    this.priority = undefined;
  }

  /** The record names a time of its own. */
  get hasTimes(): boolean {
    return (this.#seen & timeBits) !== 0;
  }

  /** The record has a text of its own: body, HTML or subject. */
  get hasText(): boolean {
    return (this.#seen & textBits) !== 0;
  }

  /** `to` was not given in the form that is kept, so the record is not kept as it was scanned: see `record`. */
  get isRewritten(): boolean {
    return this.#isRewritten;
  }

  /** The record as it is kept, before anything else is scanned or its bytes are moved. */
  record(): Uint8Array {
    const { bytes } = this.#json;
    if (!this.#isRewritten) return bytes.subarray(this.recordStart, this.recordEnd);
    return Buffer.concat([
      bytes.subarray(this.recordStart, this.#toFrom),
      Buffer.from(JSON.stringify(textOf(this.toBytes, this.toStart, this.toEnd))),
      bytes.subarray(this.#toAfter, this.recordEnd),
    ]);
  }

  /** Brings `to` into the form that is kept, or tells why it is no recipient on the channel. */
  takeRecipient(channel: Channel | undefined): RecordProblem | undefined {
    const { toBytes, toStart: start, toEnd: end } = this;
    if (isNormalRecipient(toBytes, { start, end, channel })) return undefined;
    const normal = normaliseRecipient(textOf(toBytes, start, end), { channel, country: this.#country });
    if ('problem' in normal) return { code: 'invalid_recipient', detail: normal.problem };
    this.toBytes = Buffer.from(normal.to);
    this.toStart = 0;
    this.toEnd = this.toBytes.length;
    this.#isRewritten = true;
    return undefined;
  }

  get hasParams(): boolean {
    return this.#paramsStart !== -1;
  }

  /** The bytes that hold `params`, where it begins, and where it ends: -1 both when the record has none. */
  get paramsPlace(): [bytes: Uint8Array, start: number, end: number] {
    const { bytes } = this.#json;
    return this.#paramsStart === -1 ? [bytes, -1, -1] : [bytes, this.#paramsStart, this.#paramsEnd];
  }

  /** The record's `params`, before anything else is scanned or its bytes are moved. */
  readParams(): Record<string, unknown> | undefined {
    if (this.#paramsStart === -1) return undefined;
    const text = this.#textView().toString('utf8', this.#paramsStart, this.#paramsEnd);
    return JSON.parse(text) as Record<string, unknown>;
  }

  /** The bytes that are scanned, as what makes text of them: it is made once for all records of a slot. */
  #textView(): Buffer {
    const { bytes } = this.#json;
    if (this.#viewed !== bytes) {
      this.#viewed = bytes;
      this.#view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    return this.#view;
  }

  #scanObject(from: number): number {
    const json = this.#json;
    const bytes = json.bytes;
    let p = from + 1;
    if (bytes[p]! <= 0x20) p = json.skipSpace(p);
    if (bytes[p] === 0x7d) return p + 1;
    for (;;) {
      if (bytes[p] !== 0x22) return json.unexpected(p, 'a name in quotes');
      const nameStart = p + 1;
      p = json.skipString(p);
      if (p === -1) return -1;
      const field = json.escaped
        ? fieldNamed(JSON.parse(textOf(bytes, nameStart - 1, p)) as string)
        : findField(bytes, nameStart, p - 1);
      if (field === undefined)
        this.#unknown ??= unknownField(JSON.parse(textOf(bytes, nameStart - 1, p)) as string);
      if (bytes[p]! <= 0x20) p = json.skipSpace(p);
      if (bytes[p] !== 0x3a) return json.unexpected(p, '":"');
      p++;
      if (bytes[p]! <= 0x20) p = json.skipSpace(p);
      p = field === undefined ? json.skipValue(p, 1) : this.#scanField(field, p);
      if (p === -1) return -1;
      if (bytes[p]! <= 0x20) p = json.skipSpace(p);
      const byte = bytes[p];
      if (byte === 0x7d) return p + 1;
      if (byte !== 0x2c) return json.unexpected(p, '"," or "}"');
      p++;
      if (bytes[p]! <= 0x20) p = json.skipSpace(p);
    }
  }

  #scanField(field: MessageField, from: number): number {
    const json = this.#json;
    const bytes = json.bytes;
    const isString = bytes[from] === 0x22;
    const after = isString ? json.skipString(from) : json.skipValue(from, 1);
    if (after === -1) return -1;
    this.#seen |= field.bit;
    this.#bad &= ~field.bit;
    const problem = this.#judge(field, from, after, isString);
    if (problem !== undefined) {
      this.#bad |= field.bit;
      this.#fieldProblems.set(field.bit, problem);
    }
    return after;
  }

  /** The value lies from `from` to `after`, quotes and brackets included; `#json.escaped` tells of it. */
  #judge(field: MessageField, from: number, after: number, isString: boolean): RecordProblem | undefined {
    switch (field.kind) {
      case 'to':
        return isString ? this.#takeTo(from, after) : wrongType(field, 'a string');
      case 'ref':
        return isString ? this.#takeRef(field, from, after) : wrongType(field, 'a string');
      case 'text':
        if (!isString) return wrongType(field, 'a string');
        return this.#lengthProblem(field, from, after);
      case 'line':
        if (!isString) return wrongType(field, 'a string');
        return this.#lengthProblem(field, from, after) ?? this.#lineProblem(field, from, after);
      case 'any':
        return undefined;
      case 'object':
        return this.#json.bytes[from] === 0x7b ? undefined : wrongType(field, 'an object');
      case 'headers':
        return headersProblem(JSON.parse(textOf(this.#json.bytes, from, after)));
      case 'tags':
        return tagsProblem(JSON.parse(textOf(this.#json.bytes, from, after)));
      case 'route':
      case 'priority':
        return this.#takeRouting(field, from, after, isString);
      case 'time':
        return isString ? this.#takeTime(field, from, after) : wrongType(field, 'a string');
      case 'template':
        return isString ? this.#takeTemplate(field, from, after) : wrongType(field, 'a string');
      case 'params':
        return this.#takeParams(field, from, after);
      case 'key':
        return isString ? this.#takeKey(field, from, after) : wrongType(field, 'a string');
      case 'unavailable':
        return { code: 'not_available', detail: `"${field.name}" is not available in this version` };
    }
  }

  #takeTo(from: number, after: number): RecordProblem | undefined {
    const plain = !this.#json.escaped;
    this.toBytes = plain ? this.#json.bytes : unescaped(this.#json.bytes, from, after);
    this.toStart = plain ? from + 1 : 0;
    this.toEnd = plain ? after - 1 : this.toBytes.length;
    this.#toFrom = from;
    this.#toAfter = after;
    this.#isRewritten = false;
    return this.#single ? undefined : this.takeRecipient(this.#channel);
  }

  #takeRef(field: MessageField, from: number, after: number): RecordProblem | undefined {
    const plain = !this.#json.escaped;
    this.refBytes = plain ? this.#json.bytes : unescaped(this.#json.bytes, from, after);
    this.refStart = plain ? from + 1 : 0;
    this.refEnd = plain ? after - 1 : this.refBytes.length;
    return this.#lengthProblem(field, from, after);
  }

  #takeKey(field: MessageField, from: number, after: number): RecordProblem | undefined {
    if (after - from === 2) return { code: 'invalid_value', detail: `"${field.name}" must not be empty` };
    const plain = !this.#json.escaped;
    this.keyBytes = plain ? this.#json.bytes : unescaped(this.#json.bytes, from, after);
    this.keyStart = plain ? from + 1 : 0;
    this.keyEnd = plain ? after - 1 : this.keyBytes.length;
    return this.#lengthProblem(field, from, after);
  }

  #takeTemplate(field: MessageField, from: number, after: number): RecordProblem | undefined {
    const view = this.#textView();
    this.template = this.#json.escaped
      ? (JSON.parse(view.toString('utf8', from, after)) as string)
      : view.toString('utf8', from + 1, after - 1);
    return lengthProblem(`"${field.name}"`, this.template, field.charsMax);
  }

  #takeParams(field: MessageField, from: number, after: number): RecordProblem | undefined {
    if (this.#json.bytes[from] !== 0x7b) return wrongType(field, 'an object');
    this.#paramsStart = from;
    this.#paramsEnd = after;
    return undefined;
  }

  #lengthProblem(field: MessageField, from: number, after: number): RecordProblem | undefined {
    // No text has more characters than bytes.
    if (after - from - 2 <= field.charsMax) return undefined;
    const text = JSON.parse(textOf(this.#json.bytes, from, after)) as string;
    return lengthProblem(`"${field.name}"`, text, field.charsMax);
  }

  /** JSON has a control character as an escape alone. */
  #lineProblem(field: MessageField, from: number, after: number): RecordProblem | undefined {
    if (!this.#json.escaped) return undefined;
    const text = JSON.parse(textOf(this.#json.bytes, from, after)) as string;
    return lineProblem(`"${field.name}"`, text);
  }

  #takeRouting(
    field: MessageField,
    from: number,
    after: number,
    isString: boolean,
  ): RecordProblem | undefined {
    if (!this.#single) {
      const detail = `"${field.name}" is set once for the whole batch, not on a line`;
      return { code: 'not_allowed_in_batch', detail };
    }
    if (!isString) return wrongType(field, 'a string');
    const value = JSON.parse(textOf(this.#json.bytes, from, after)) as string;
    if (field.kind === 'route') {
      this.route = value;
      return lengthProblem('"route"', value, field.charsMax);
    }
    if (value !== 'interactive' && value !== 'bulk') {
      return { code: 'invalid_value', detail: '"priority" must be "interactive" or "bulk"' };
    }
    this.priority = value;
    return undefined;
  }

  #takeTime(field: MessageField, from: number, after: number): RecordProblem | undefined {
    const time = parseTime(JSON.parse(textOf(this.#json.bytes, from, after)) as string);
    if (time === null) return { code: 'invalid_value', detail: `"${field.name}" ${notATime}` };
    if (field.name === 'scheduledAt') this.scheduledAtMs = time.getTime();
    else this.expiresAtMs = time.getTime();
    return undefined;
  }

  #checkTimes(): boolean {
    const problem = timesProblem(this, this.#times);
    return problem === undefined || this.#refuse('invalid_value', `"${problem.field}" ${problem.detail}`);
  }

  #refuseSyntax(): false {
    const { code, detail, at } = this.#json.fault!;
    return this.#refuse(code, `${detail} at byte ${at - this.recordStart + 1}`);
  }

  #refuseField(): false {
    const lowest = this.#bad & -this.#bad;
    this.problem = this.#unknown ?? this.#fieldProblems.get(lowest);
    return false;
  }

  #refuseValue(): false {
    const { impreciseAt, loneSurrogateAt } = this.#json;
    if (impreciseAt !== -1) {
      const at = impreciseAt - this.recordStart + 1;
      const detail = `the number at byte ${at} would be changed by a 64-bit float; send it as a string`;
      return this.#refuse('number_precision', detail);
    }
    const at = loneSurrogateAt - this.recordStart + 1;
    return this.#refuse('invalid_unicode', `the escape at byte ${at} is half of a surrogate pair`);
  }

  #refuse(code: RejectionCode, detail: string): false {
    this.problem = { code, detail };
    return false;
  }
}

const textBits = fieldNamed('body')!.bit | fieldNamed('html')!.bit | fieldNamed('subject')!.bit;
const templateAndText =
  '"template" says body, HTML and subject: give it, or "body", "html" and "subject", not both';

const timeBits = fieldNamed('scheduledAt')!.bit | fieldNamed('expiresAt')!.bit;

function unescaped(bytes: Uint8Array, from: number, after: number): Uint8Array {
  return Buffer.from(JSON.parse(textOf(bytes, from, after)) as string);
}
