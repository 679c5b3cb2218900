import type { Answer } from '../../connectors/connector.ts';

export const answerKinds = ['sent', 'rejected', 'retry', 'uncertain'] as const satisfies Answer['kind'][];
export type AnswerKind = (typeof answerKinds)[number];

/** Requests noted between two readings; beyond, they are only counted. */
const requestsMax = 50_000;
const fieldsPerEntry = 4;

/** One request to a provider, as far as its answers agreed. */
export interface AnsweredAttempt {
  routeId: number;
  answer: AnswerKind;
  messages: number;
  seconds: number;
}

/** Notes how requests went, for metrics that are kept by another thread: numbers side by side, moved at once. */
export class AttemptLog {
  #entries = new Float64Array(1_024);
  #length = 0;

  note(attempt: { routeId: number; kind: number; messages: number; seconds: number }): void {
    if (this.#length >= requestsMax * fieldsPerEntry) return;
    if (this.#length === this.#entries.length) {
      const larger = new Float64Array(2 * this.#entries.length);
      larger.set(this.#entries);
      this.#entries = larger;
    }
    this.#entries[this.#length++] = attempt.routeId;
    this.#entries[this.#length++] = attempt.kind;
    this.#entries[this.#length++] = attempt.messages;
    this.#entries[this.#length++] = attempt.seconds;
  }

  /** What was noted since the last call, in a buffer of its own. */
  take(): Float64Array<ArrayBuffer> {
    const taken = this.#entries.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }
}

export function* attemptsIn(entries: Float64Array): Generator<AnsweredAttempt> {
  for (let index = 0; index + fieldsPerEntry <= entries.length; index += fieldsPerEntry) {
    const [routeId, kind, messages, seconds] = entries.subarray(index, index + fieldsPerEntry);
    yield {
      routeId: routeId!,
      answer: answerKinds[kind!] ?? 'uncertain',
      messages: messages!,
      seconds: seconds!,
    };
  }
}
