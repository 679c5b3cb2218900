import { InvalidArgumentError } from 'commander';
import type { SendWindow } from '../client/client.ts';

export const sendWindowForm = 'days,from-to,zone';
export const sendWindowHelp =
  'such as mon-fri,09:00-20:00,Europe/Amsterdam: outside of it nothing is sent; "recipient" as the zone is that of each number';

/** In the order of the week, for ranges. */
const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** `mon-fri,09:00-20:00,Europe/Amsterdam`, or `mon,wed,sat,…`, for commander. Which hours and zones there are is the server's to say. */
export function sendWindow(text: string): SendWindow {
  const parts = text.split(',').map((part) => part.trim());
  const timeZone = parts.pop();
  const [, from, to] = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(parts.pop() ?? '') ?? [];
  const named = parts.map((part) => daysOf(part.toLowerCase()));
  if (
    !timeZone ||
    from === undefined ||
    to === undefined ||
    named.length === 0 ||
    named.includes(undefined)
  ) {
    throw new InvalidArgumentError('It must look like mon-fri,09:00-20:00,Europe/Amsterdam.');
  }
  return { days: [...new Set(named.flatMap((each) => each!))], from, to, timeZone };
}

/** As `--send-window` takes it. */
export function formatSendWindow(window: SendWindow): string {
  return `${window.days.join()},${window.from}-${window.to},${window.timeZone}`;
}

/** A day, or those from one to another, over the end of the week where they have to. */
function daysOf(text: string): SendWindow['days'] | undefined {
  const [first, last = first, ...more] = text
    .split('-')
    .map((name) => days.indexOf(name as (typeof days)[number]));
  if (first === undefined || first < 0 || last! < 0 || more.length > 0) return undefined;
  const count = ((last! - first + days.length) % days.length) + 1;
  return Array.from({ length: count }, (_, n) => days[(first + n) % days.length]!);
}
