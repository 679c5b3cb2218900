import { isValidUtf8, textOf } from '../lib/utf8.ts';
import type { ErrorItem } from '../message/error-codes.ts';
import { ProblemError } from '../message/error-codes.ts';
import type { Channel, Priority } from '../message/fields.ts';
import { limits } from '../message/limits.ts';
import { lookupHash } from '../message/lookup-hash.ts';
import { type OrderingKey, orderingKey } from '../message/ordering.ts';
import type { PhoneCountry } from '../message/phone-number.ts';
import type { TemplatePins } from '../message/templates/pins.ts';
import type { AccountTemplates } from '../message/templates/template.ts';
import { ArrayCutter } from './array-cutter.ts';
import { compactRecord } from './compact-record.ts';
import { isSms, smsPartsOf } from './message-parts.ts';
import { MessageScanner } from './message-scanner.ts';
import type { RawSlot } from './raw-slot.ts';
import { byteOrderMark } from './record-cutter.ts';
import { checkTemplate } from './template-check.ts';
import type { TimeRules } from './time-rules.ts';

/** One valid element of `POST /v1/messages`. */
export interface ParsedMessage {
  index: number;
  /** In the form that is kept. */
  to: string;
  /** A JSON object on one line, without `route` and `priority`. */
  line: Buffer;
  toHash: bigint;
  refHash: bigint | null;
  /** The SMS that it takes, where they are counted; else one. */
  parts: number;
  /** They are still to be counted, by what its template makes of it: see `countRenderedMessages`. */
  isCountedByTemplate: boolean;
  routeId: number;
  priority: Priority;
  /** It names times of its own. */
  timed: boolean;
  scheduledAtMs: number | undefined;
  orderingKey: OrderingKey | undefined;
  /** What the template means that it names. */
  templates: TemplatePins | undefined;
}

export interface ParsedMessages {
  messages: ParsedMessage[];
  errors: ErrorItem[];
}

/** Finds the way of a message: by the name it gives, else by what its recipient looks like. */
export type ChooseRoute = (
  asked: string | undefined,
  to: string,
) => { id: number; channel?: Channel } | { code: string; detail: string };

interface ParseRules {
  accountId: number;
  /** A test key sends them. */
  test: boolean;
  chooseRoute: ChooseRoute;
  /** Where telephone numbers are dialled that do not tell their country. */
  country?: PhoneCountry | undefined;
  /** Those of the account. */
  templates: AccountTemplates;
  /** Counts the SMS that each message takes. */
  countParts?: boolean;
}

/**
 * Takes the body of `POST /v1/messages` apart: one message or an array of up to 1,000. A bad element
 * does not spoil its neighbours.
 * @throws ProblemError `invalid_json` when the body is no JSON, `validation_failed` when it has no or too many elements
 */
export function parseMessages(
  body: Buffer,
  { times, ...rules }: ParseRules & { times: TimeRules },
): ParsedMessages {
  const text = withoutMark(body);
  const first = firstByte(text);
  if (first !== openBrace && first !== openBracket) {
    const detail = `the body is ${first === undefined ? 'empty' : 'neither an object nor an array'}`;
    throw notMessages({ index: 0, code: 'not_an_array', detail });
  }
  const single = first === openBrace;
  const slots = cutElements(text, single);
  const scanner = new MessageScanner({ mode: 'single', country: rules.country, times });
  const result: ParsedMessages = { messages: [], errors: [] };
  for (const slot of slots) {
    for (const { line, code, detail } of slot.refused) result.errors.push({ index: line - 1, code, detail });
    for (let record = 0; record < slot.starts.length; record++) {
      const index = slot.firstLine + (slot.lineOffsets ? slot.lineOffsets[record]! : record) - 1;
      const parsed = parseOne(scanner, { slot, record, rules });
      if (single && 'code' in parsed && parsed.code === 'invalid_json') {
        throw new ProblemError('invalid_json', parsed.detail);
      }
      if ('code' in parsed) result.errors.push({ index, ...parsed });
      else result.messages.push({ index, ...parsed });
    }
  }
  result.errors.sort((a, b) => a.index! - b.index!);
  return result;
}

function cutElements(body: Buffer, single: boolean): RawSlot[] {
  // A request of one message is no reason for the buffers of an upload: they were 280 KiB each time.
  const bodyBytesMax = body.length + openArray.length + closeArray.length;
  const cutter = new ArrayCutter({ firstLine: 1, bodyBytesMax });
  const slots = single
    ? [...cutter.push(openArray), ...cutter.push(body), ...cutter.push(closeArray), ...cutter.end()]
    : [...cutter.push(body), ...cutter.end()];
  if (cutter.problem) {
    const { code, detail } = cutter.problem;
    throw notMessages({ index: cutter.problem.line - 1, code, detail });
  }
  const count = slots.reduce((sum, { lines }) => sum + lines, 0);
  if (count === 0) throw new ProblemError('validation_failed', 'There is no message in the array.');
  if (count > limits.chunkMessagesMax || (single && count > 1)) {
    throw new ProblemError(
      'validation_failed',
      `The array has more than ${limits.chunkMessagesMax} messages. Send more of them as a batch: POST /v1/batches.`,
    );
  }
  return slots;
}

function notMessages(error: ErrorItem): ProblemError {
  const detail = `The body must be one message or an array of messages: ${error.detail}`;
  return new ProblemError('invalid_json', detail, { errors: [error] });
}

const openBrace = 0x7b;
const openBracket = 0x5b;
const openArray = Buffer.from('[');
const closeArray = Buffer.from(']');

function withoutMark(body: Buffer): Buffer {
  const start = body.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? byteOrderMark.length : 0;
  return body.subarray(start);
}

function firstByte(body: Buffer): number | undefined {
  return body.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09);
}

function parseOne(
  scanner: MessageScanner,
  { slot, record, rules }: { slot: RawSlot; record: number; rules: ParseRules },
): Omit<ParsedMessage, 'index'> | { code: string; detail: string } {
  const { bytes } = slot;
  const { accountId, test, chooseRoute, countParts = false } = rules;
  const start = slot.starts[record]!;
  const end = slot.ends[record]!;
  if (!isValidUtf8(bytes, start, end)) {
    return { code: 'invalid_utf8', detail: 'the message is not valid UTF-8' };
  }
  if (!scanner.scan(bytes, start, end)) return scanner.problem!;
  const route = chooseRoute(scanner.route, textOf(scanner.toBytes, scanner.toStart, scanner.toEnd));
  if ('code' in route) return route;
  const problem = scanner.takeRecipient(route.channel);
  if (problem !== undefined) return problem;
  const to = textOf(scanner.toBytes, scanner.toStart, scanner.toEnd);
  const checked = checkTemplate(scanner, { rules, channel: route.channel });
  if ('problem' in checked) return checked.problem;
  const ref = scanner.refStart === -1 ? null : textOf(scanner.refBytes, scanner.refStart, scanner.refEnd);
  const line = lineOf(scanner);
  const isCounted = countParts && isSms(route.channel, scanner.toBytes[scanner.toStart]);
  return {
    to,
    line,
    parts: isCounted && !checked.entry ? smsPartsOf(line.toString()) : 1,
    isCountedByTemplate: isCounted && checked.entry !== undefined,
    toHash: lookupHash('to', accountId, to),
    refHash: ref === null ? null : lookupHash('ref', accountId, ref),
    routeId: route.id,
    priority: scanner.priority ?? 'interactive',
    timed: scanner.hasTimes,
    scheduledAtMs: scanner.scheduledAtMs,
    templates: checked.entry && { [checked.entry.name]: checked.entry.pin },
    orderingKey:
      scanner.keyStart === -1
        ? undefined
        : orderingKey(
            { accountId, test },
            { bytes: scanner.keyBytes, start: scanner.keyStart, end: scanner.keyEnd },
          ),
  };
}

function lineOf(scanner: MessageScanner): Buffer {
  const line = compactRecord(scanner.record());
  if (scanner.route === undefined && scanner.priority === undefined) return line;
  // The scanner made sure that parsing and printing again changes nothing.
  const fields = JSON.parse(line.toString()) as Record<string, unknown>;
  delete fields.route;
  delete fields.priority;
  return Buffer.from(JSON.stringify(fields));
}
