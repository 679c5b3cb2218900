/** What happened in a simulation, in order: always as a number to compare, and as text when it is wanted. */
export class Trace {
  readonly #lines: string[] | undefined;
  #hash = 0x811c9dc5 | 0;
  #nowMs = 0;

  constructor({ keepLines }: { keepLines: boolean }) {
    this.#lines = keepLines ? [] : undefined;
  }

  /** FNV-1a over times and texts. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  get lines(): readonly string[] {
    return this.#lines ?? [];
  }

  /** Another event begins. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#mix(nowMs * 1_000);
  }

  note(who: string, what: string, detail: string | number = ''): void {
    this.#text(who);
    this.#text(what);
    if (typeof detail === 'number') this.#mix(detail);
    else this.#text(detail);
    this.#lines?.push(`${this.#nowMs.toFixed(3).padStart(11)} ${who.padEnd(9)} ${what} ${detail}`);
  }

  #text(text: string): void {
    for (let index = 0; index < text.length; index++) this.#mix(text.charCodeAt(index));
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193);
  }
}
