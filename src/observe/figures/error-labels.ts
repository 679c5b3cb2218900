import { CappedLabels } from './capped-labels.ts';

/** Different codes of one route; those beyond share the label `other`. */
const codesMax = 50;
const charactersMax = 64;
/** What has more of them may be a telephone number, or an id. */
const digitsMax = 6;

/** The codes of errors by route. A provider's own may be anything: what does not look like a code is `other`. */
export class ErrorLabels {
  readonly #byRoute = new Map<string, CappedLabels>();

  /** `route` is a label already: there is a bounded number of them. */
  of(route: string, code: string): string {
    if (!isCode(code)) return 'other';
    let known = this.#byRoute.get(route);
    if (known === undefined) {
      known = new CappedLabels(codesMax);
      this.#byRoute.set(route, known);
    }
    return known.of(code);
  }
}

function isCode(text: string): boolean {
  if (text.length > charactersMax || !/^[A-Za-z0-9_.:-]+$/.test(text)) return false;
  return text.replaceAll(/\D/g, '').length <= digitsMax;
}
