import { OpenHours } from './open-hours.ts';
import { zonesOfCountries } from './recipient-zones.ts';
import { isByRecipient, type SendWindow } from './send-window.ts';

/** Hours that are remembered: of each pair of windows, and of each country where it is the recipient's that count. */
const hoursMax = 4_000;

/** When messages may leave by the windows of their batch and of their route, of which both must be open. */
export class SendHours {
  readonly #kept = new Map<string, OpenHours>();
  readonly #names = new WeakMap<SendWindow, string>();

  /** Of all messages alike: by the windows that name their time zone. Undefined when none does. */
  ofAll(...windows: readonly (SendWindow | undefined)[]): OpenHours | undefined {
    return this.#of(
      windows.filter((window) => window !== undefined && !isByRecipient(window)),
      undefined,
    );
  }

  /**
   * Of messages to one place, as `placeOf` names it. Undefined when there is no window; `unplaced` where the time zone of
   * a recipient counts that nobody knows.
   */
  ofPlace(
    place: string | undefined,
    ...windows: readonly (SendWindow | undefined)[]
  ): OpenHours | undefined | 'unplaced' {
    const given = windows.filter((window) => window !== undefined);
    const byRecipient = given.some(isByRecipient);
    if (byRecipient && !place) return 'unplaced';
    return this.#of(given, byRecipient ? place : undefined);
  }

  #of(windows: readonly (SendWindow | undefined)[], place: string | undefined): OpenHours | undefined {
    if (windows.length === 0) return undefined;
    const given = windows as readonly SendWindow[];
    const name = given.map((window) => this.#nameOf(window)).join() + (place ?? '');
    let hours = this.#kept.get(name);
    if (hours === undefined) {
      const zones = place === undefined ? [] : zonesOfCountries(place.split(','));
      hours = new OpenHours(
        given.flatMap((window) =>
          (isByRecipient(window) ? zones : [window.timeZone]).map((zone) => ({ window, zone })),
        ),
      );
      if (this.#kept.size >= hoursMax) this.#kept.delete(this.#kept.keys().next().value!);
      this.#kept.set(name, hours);
    }
    return hours;
  }

  /** Windows that say the same share their hours. */
  #nameOf(window: SendWindow): string {
    let name = this.#names.get(window);
    if (name === undefined) {
      const { days, from, to, timeZone } = window;
      name = JSON.stringify([[...days].sort(), from, to, timeZone]);
      this.#names.set(window, name);
    }
    return name;
  }
}
