import { possibleCountries } from '../phone-country.ts';

/** Countries that Intl has no zones for, and whose clocks they follow. */
const zonesBeside: Readonly<Record<string, readonly string[]>> = {
  AC: ['Atlantic/St_Helena'],
  TA: ['Atlantic/St_Helena'],
  XK: ['Europe/Belgrade'],
};

/**
 * The time zones that the holder of an E.164 number may be in: all those of its country, as a number says no more; of all
 * countries that share its code where it is of none of them. Empty for a number of no country.
 */
export function zonesOfCountries(countries: readonly string[]): string[] {
  return [...new Set(countries.flatMap((country) => zonesOf(country)))];
}

/** What numbers with the same time zones have in common: their countries, with commas. */
export function placeOf(number: string): string {
  return possibleCountries(number).join();
}

/** Up to Node 22 it is a property, after that a method. */
function zonesOf(country: string): readonly string[] {
  const locale = new Intl.Locale(`und-${country}`) as Intl.Locale & {
    getTimeZones?(): string[] | undefined;
    timeZones?: string[];
  };
  const zones = locale.getTimeZones?.() ?? locale.timeZones ?? [];
  return zones.length > 0 ? zones : (zonesBeside[country] ?? []);
}
