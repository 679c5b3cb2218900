import { isTimeZone } from './zone-clock.ts';

/** In the order of `Date.getUTCDay`. */
export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof weekdays)[number];

/** The time zone of each message is that of its recipient's telephone number. */
export const recipientZone = 'recipient';

export const timeZoneCharsMax = 64;

/** When messages may leave, by the clocks on the wall of a time zone. */
export interface SendWindow {
  /** Those on which it opens: one that goes over midnight ends on the day after. */
  days: Weekday[];
  /** `09:00`. */
  from: string;
  /** `20:00`, or `24:00` for the end of the day; not later than `from`: on the day after. */
  to: string;
  /** A name of the IANA data base, or `recipient`. */
  timeZone: string;
}

export interface SendWindowProblem {
  field: 'days' | 'from' | 'to' | 'timeZone';
  detail: string;
}

/** Why a window cannot be obeyed. */
export function sendWindowProblem({ days, from, to, timeZone }: SendWindow): SendWindowProblem | undefined {
  if (new Set(days).size < days.length) return { field: 'days', detail: 'names a day twice' };
  if (minuteOfDay(from) === undefined || from === dayEnd) return { field: 'from', detail: notAClock };
  if (minuteOfDay(to) === undefined) return { field: 'to', detail: notAClock };
  if (from === to) {
    const detail = 'must differ from "from"; a window of whole days is from 00:00 to 24:00';
    return { field: 'to', detail };
  }
  if (timeZone !== recipientZone && !isTimeZone(timeZone)) {
    const detail = 'must be a time zone by its name, such as Europe/Amsterdam, or "recipient"';
    return { field: 'timeZone', detail };
  }
  return undefined;
}

/** Minutes since midnight; undefined for what is no time of a day. */
export function minuteOfDay(text: string): number | undefined {
  if (text === dayEnd) return 24 * 60;
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  return hours === undefined ? undefined : Number(hours) * 60 + Number(minutes);
}

export function isByRecipient(window: SendWindow | undefined): boolean {
  return window?.timeZone === recipientZone;
}

const dayEnd = '24:00';
export const notAClock = 'must be a time of the day such as 09:00';
