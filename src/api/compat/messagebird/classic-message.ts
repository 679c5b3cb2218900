import { parseTime } from '../../../lib/parse-time.ts';
import { fieldLimits } from '../../../message/field-limits.ts';
import { limits } from '../../../message/limits.ts';
import { normaliseRecipient } from '../../../message/normalise-recipient.ts';
import { normalisePhone, type PhoneCountry } from '../../../message/phone-number.ts';
import { countSmsParts, inGsmAlphabet, smsCodingOf } from '../../../message/sms-parts.ts';
import { urlProblem } from '../../routes/webhook-fields.ts';
import type { Fields } from './read-fields.ts';
import { type ClassicError, ClassicRefusal, classicCode } from './send-errors.ts';

export const messageTypes = ['sms', 'binary', 'flash'] as const;

/** What the classic API says of a message beside text and recipients: connectors find it as `metadata.messagebird`. */
export interface ClassicDetails {
  type: (typeof messageTypes)[number];
  datacoding: 'plain' | 'unicode';
  /** 0 for a flash message, 1 for a normal one. */
  mclass: number;
  /** Hexadecimal, of a binary message. */
  udh?: string;
  /** Seconds from its schedule, or its creation, on. */
  validity?: number;
}

/** One request to send a text to some recipients, judged. */
export interface ClassicMessage {
  /** E.164. */
  recipients: string[];
  originator: string;
  /** Of a binary message hexadecimal. */
  body: string;
  reference: string | null;
  /** Where its statuses are reported, when it has a reference. */
  reportUrl: string | null;
  scheduledAt: Date | null;
  details: ClassicDetails;
}

/** The SMS that it takes, by the coding that it asks for. */
export function classicPartsOf(body: string, { type, datacoding }: ClassicDetails): number {
  return type === 'binary' ? 1 : countSmsParts(body, datacoding === 'plain' ? 'gsm7' : 'ucs2').parts;
}

const recipientsMax = limits.classicRecipientsMax;
const referenceCharsMax = 128;
const partsMax = 9;
/** Of one SMS, user data header included. */
const binaryBytesMax = 140;
const nameCharsMax = 11;
const numberDigitsMax = 17;
const validitySecondsMax = 31_536_000;

/**
 * `country` is where numbers are dialled that do not tell theirs.
 * @throws ClassicRefusal with an error for each field that cannot be obeyed
 */
export function parseClassicMessage(fields: Fields, country: PhoneCountry | undefined): ClassicMessage {
  const given = new Map(Object.entries(fields).filter(([, value]) => !isNothing(value)));
  const errors: ClassicError[] = [];
  const message = new FieldReader(given, { errors, country }).message();
  if (errors.length > 0) throw new ClassicRefusal(422, errors);
  return message;
}

/** PHP sends an empty object as an empty list. */
function isNothing(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

class FieldReader {
  readonly #given: Map<string, unknown>;
  readonly #errors: ClassicError[];
  readonly #country: PhoneCountry | undefined;

  constructor(
    given: Map<string, unknown>,
    { errors, country }: { errors: ClassicError[]; country: PhoneCountry | undefined },
  ) {
    this.#given = given;
    this.#errors = errors;
    this.#country = country;
  }

  message(): ClassicMessage {
    const originator = this.#originator();
    const recipients = this.#recipients();
    const type = this.#choice('type', messageTypes, 'sms');
    const asked = this.#choice('datacoding', ['plain', 'unicode', 'auto'] as const, 'plain');
    const text = this.#body();
    const binary = type === 'binary';
    const coding = asked === 'unicode' || (asked === 'auto' && !binary && smsCodingOf(text) === 'ucs2');
    const body = binary || coding ? text : inGsmAlphabet(text);
    const details: ClassicDetails = {
      type,
      datacoding: coding ? 'unicode' : 'plain',
      mclass: this.#integer('mclass', { min: 0, max: 3 }) ?? (type === 'flash' ? 0 : 1),
    };
    const udh = this.#udh(binary);
    if (udh !== undefined) details.udh = udh;
    const validity = this.#integer('validity', { min: 1, max: validitySecondsMax });
    if (validity !== undefined) details.validity = validity;
    this.#checkLength(body, details);
    const reference = this.#text('reference', referenceCharsMax) ?? null;
    const reportUrl = this.#url('reportUrl');
    const scheduledAt = this.#time('scheduledDatetime');
    this.#refuseOthers();
    return { recipients, originator, body, reference, reportUrl, scheduledAt, details };
  }

  #take(name: string): unknown {
    const value = this.#given.get(name);
    this.#given.delete(name);
    return value;
  }

  #refuse(
    parameter: string,
    description: string,
    code: ClassicError['code'] = classicCode.invalid,
  ): undefined {
    this.#errors.push({ code, description, parameter });
    return undefined;
  }

  #originator(): string {
    const value = this.#take('originator');
    if (value === undefined) this.#refuse('originator', 'originator is required', classicCode.missing);
    const text = typeof value === 'number' ? String(value) : value;
    if (typeof text === 'string' && isOriginator(text)) return text;
    const wanted = `a number of up to ${numberDigitsMax} digits, or up to ${nameCharsMax} characters of ASCII`;
    if (value !== undefined) this.#refuse('originator', `originator must be ${wanted}`);
    return '';
  }

  #recipients(): string[] {
    const value = this.#take('recipients');
    const list = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : [value];
    const numbers = list.map((recipient) => recipientNumber(recipient, this.#country));
    const wrong = value === undefined || numbers.includes(undefined);
    if (wrong) this.#refuse('recipients', 'no (correct) recipients found', classicCode.missing);
    else if (numbers.length > recipientsMax) {
      this.#refuse('recipients', `a message may have ${recipientsMax} recipients`);
    }
    return numbers as string[];
  }

  #body(): string {
    const value = this.#take('body');
    if (value === undefined) this.#refuse('body', 'body is required', classicCode.missing);
    else if (typeof value === 'string') return value;
    else this.#refuse('body', 'body must be a string');
    return '';
  }

  #udh(binary: boolean): string | undefined {
    const value = this.#take('typeDetails');
    if (value === undefined) return undefined;
    if (typeof value !== 'object') return this.#refuse('typeDetails', 'typeDetails must be an object');
    const { udh, ...others } = value as Record<string, unknown>;
    const [other] = Object.keys(others);
    if (other !== undefined) return this.#refuse('typeDetails', `there is no typeDetails.${other}`);
    if (udh === undefined || udh === null || udh === '') return undefined;
    if (!binary) return this.#refuse('typeDetails', 'typeDetails.udh is for messages of type binary');
    if (isHex(udh)) return udh;
    return this.#refuse('typeDetails', 'typeDetails.udh must be hexadecimal, two digits a byte');
  }

  #checkLength(body: string, { type, datacoding, udh = '' }: ClassicDetails): void {
    if (type === 'binary') {
      if (!isHex(body)) this.#refuse('body', 'the body of a binary message must be hexadecimal');
      else if (body.length + udh.length > 2 * binaryBytesMax) {
        this.#refuse('body', `a binary message may have ${binaryBytesMax} bytes, its udh included`);
      }
    } else if (countSmsParts(body, datacoding === 'plain' ? 'gsm7' : 'ucs2').parts > partsMax) {
      this.#refuse('body', `body is too long: it may take ${partsMax} SMS`);
    }
  }

  #choice<Choice extends string>(name: string, choices: readonly Choice[], otherwise: Choice): Choice {
    const value = this.#take(name);
    if (value === undefined || (choices as readonly unknown[]).includes(value)) {
      return (value as Choice | undefined) ?? otherwise;
    }
    this.#refuse(name, `${name} must be ${choices.join(', ')}`);
    return otherwise;
  }

  #integer(name: string, { min, max }: { min: number; max: number }): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
    if (Number.isInteger(number) && (number as number) >= min && (number as number) <= max) {
      return number as number;
    }
    return this.#refuse(name, `${name} must be a whole number from ${min} to ${max}`);
  }

  #text(name: string, charsMax: number): string | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    const text = typeof value === 'number' ? String(value) : value;
    if (typeof text === 'string' && [...text].length <= charsMax) return text;
    return this.#refuse(name, `${name} must be a string of up to ${charsMax} characters`);
  }

  #url(name: string): string | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    const problem = typeof value === 'string' ? addressProblem(value) : 'must be a string';
    if (problem === undefined) return value as string;
    this.#refuse(name, `${name} ${problem}`);
    return null;
  }

  #time(name: string): Date | null {
    const value = this.#take(name);
    if (value === undefined) return null;
    const time = typeof value === 'string' ? parseClassicTime(value) : null;
    if (!time) this.#refuse(name, `${name} must be a time of RFC 3339, such as 2030-01-31T09:30:00+00:00`);
    return time;
  }

  /** What is left is not obeyed, so it is refused, unless it says what is so anyway. */
  #refuseOthers(): void {
    for (const [name, value] of this.#given) {
      const harmless = harmlessValues[name];
      if (harmless !== undefined && harmless === String(value)) continue;
      this.#refuse(name, notObeyed[name] ?? `there is no field ${name.slice(0, 40)}`);
    }
  }
}

const harmlessValues: Readonly<Record<string, string>> = { direction: 'mt', shortenUrls: 'false' };

const notObeyed: Readonly<Record<string, string>> = {
  groupIds: 'groupIds is not available: name the recipients themselves',
  gateway: 'gateway is not available: messages leave by the route that is the default of the account for sms',
  shortenUrls: 'shortenUrls is not available: URLs are sent as they are',
  direction: 'direction must be mt',
};

/** Whether it may be called is judged at each connection, as for webhooks. */
function addressProblem(text: string): string | undefined {
  if (Buffer.byteLength(text) > fieldLimits.toBytesMax)
    return `must be of ${fieldLimits.toBytesMax} bytes at most`;
  const problem = urlProblem(text);
  if (problem !== undefined) return problem;
  return 'to' in normaliseRecipient(text, { channel: 'webhook' }) ? undefined : 'must have no spaces in it';
}

/** RFC 3339; PHP and Java also write its zone without the colon, and a plus in a query may have become a space. */
export function parseClassicTime(text: string): Date | null {
  return parseTime(
    text.replace(/[+\- ](\d{2}):?(\d{2})$/, (zone, hours, minutes) => {
      return `${zone.startsWith('-') ? '-' : '+'}${hours}:${minutes}`;
    }),
  );
}

/** `31612345678`, `+31612345678` and `0031612345678` are one number: what begins with no zero has the code of its country. */
export function recipientNumber(value: unknown, country: PhoneCountry | undefined): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value).trim();
  const number = normalisePhone(/^[1-9]/.test(text) ? `+${text}` : text, country);
  return 'to' in number ? number.to : undefined;
}

function isOriginator(text: string): boolean {
  const number = /^\+?(\d+)$/.exec(text)?.[1];
  if (number !== undefined) return number.length <= numberDigitsMax;
  return text.length <= nameCharsMax && /^[\x20-\x7e]+$/.test(text);
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^(?:[\da-f]{2})+$/i.test(value);
}
