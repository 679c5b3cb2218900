/** When messages may leave, by the clocks on the wall of a time zone. */
export interface SendWindow {
  /** Those on which it opens. */
  days: ('mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun')[];
  /** `09:00`. */
  from: string;
  /** `20:00`, or `24:00` for the end of the day; before `from`: on the day after. */
  to: string;
  /** Such as `Europe/Amsterdam`, or `recipient`: that of the country of each number. */
  timeZone: string;
}
