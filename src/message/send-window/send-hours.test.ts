import { getCountries } from 'libphonenumber-js/min';
import { expect, test } from 'vitest';
import { placeOf, zonesOfCountries } from './recipient-zones.ts';
import { SendHours } from './send-hours.ts';
import { type SendWindow, sendWindowProblem, weekdays } from './send-window.ts';

const day = { days: [...weekdays], from: '09:00', to: '20:00' };
const byRecipient: SendWindow = { ...day, timeZone: 'recipient' };

function at(text: string): number {
  return Date.parse(text);
}

function hoursOf(to: string, ...windows: SendWindow[]) {
  const hours = new SendHours().ofPlace(placeOf(to), ...windows);
  if (hours === undefined || hours === 'unplaced') throw new Error(`no hours for ${to}`);
  return hours;
}

test('the window of a recipient is that of the country of the number', () => {
  expect(hoursOf('+31612345678', byRecipient).opensAtMs(at('2026-07-01T00:00:00Z'))).toBe(
    at('2026-07-01T07:00:00Z'),
  );
  expect(hoursOf('+819012345678', byRecipient).opensAtMs(at('2026-07-01T12:00:00Z'))).toBe(
    at('2026-07-02T00:00:00Z'),
  );
});

test('in a country with several time zones it must be open in all of them', () => {
  const hours = hoursOf('+12125550123', byRecipient);
  // Nine in Honolulu is three in the afternoon in New York.
  expect(hours.opensAtMs(at('2026-07-01T12:00:00Z'))).toBe(at('2026-07-01T19:00:00Z'));
  expect(hours.opensAtMs(at('2026-07-02T00:00:00Z'))).toBe(at('2026-07-02T19:00:00Z'));
});

test('a window that is too short for a country is never open there', () => {
  expect(hoursOf('+79161234567', { ...byRecipient, to: '17:00' }).opensAtMs(Date.now())).toBe(
    Number.POSITIVE_INFINITY,
  );
  expect(hoursOf('+79161234567', byRecipient).opensAtMs(Date.now())).toBeLessThan(Number.POSITIVE_INFINITY);
});

test('a number of a shared code that is of none of its countries has the time zones of all of them', () => {
  expect(placeOf('+12000000000').split(',')).toEqual(expect.arrayContaining(['US', 'CA', 'JM']));
  expect(placeOf('+12125550123')).toBe('US');
});

test('a number of no country has no time zone', () => {
  for (const to of ['+80012345678', 'a31@example.com', '']) expect(placeOf(to)).toBe('');
  expect(new SendHours().ofPlace(placeOf('+870123456789'), byRecipient)).toBe('unplaced');
  expect(new SendHours().ofPlace('', { ...day, timeZone: 'UTC' })).not.toBe('unplaced');
});

test('every country that numbers belong to has time zones', () => {
  expect(getCountries().filter((country) => zonesOfCountries([country]).length === 0)).toEqual([]);
});

test('the windows of the batch and of the route must both be open', () => {
  const evening: SendWindow = { ...day, from: '18:00', to: '22:00', timeZone: 'Europe/Amsterdam' };
  const hours = hoursOf('+31612345678', byRecipient, evening);
  expect(hours.opensAtMs(at('2026-07-01T08:00:00Z'))).toBe(at('2026-07-01T16:00:00Z'));
  expect(hours.opensAtMs(at('2026-07-01T18:00:00Z'))).toBe(at('2026-07-02T16:00:00Z'));
});

test('of all messages alike only windows that name their time zone count', () => {
  const hours = new SendHours();
  expect(hours.ofAll(undefined, byRecipient)).toBeUndefined();
  expect(hours.ofAll({ ...day, timeZone: 'UTC' }, byRecipient)!.opensAtMs(at('2026-07-01T08:00:00Z'))).toBe(
    at('2026-07-01T09:00:00Z'),
  );
});

test.each([
  ['days', { days: ['mon', 'mon'] }],
  ['from', { from: '24:00' }],
  ['from', { from: '9:00' }],
  ['to', { to: '24:01' }],
  ['to', { from: '09:00', to: '09:00' }],
  ['timeZone', { timeZone: '+02:00' }],
  ['timeZone', { timeZone: 'Europe/Atlantis' }],
  ['timeZone', { timeZone: '' }],
] as [string, Partial<SendWindow>][])('a window is refused for its %s: %j', (field, part) => {
  expect(sendWindowProblem({ ...byRecipient, ...part })).toMatchObject({ field });
});

test('whole days, and windows over midnight, are windows', () => {
  for (const part of [{ from: '00:00', to: '24:00' }, { from: '22:00', to: '06:00' }, { timeZone: 'UTC' }]) {
    expect(sendWindowProblem({ ...byRecipient, ...part })).toBeUndefined();
  }
});
