import type { Answer, Sender } from '../../connectors/connector.ts';
import type { Clock } from '../../lib/clock.ts';
import { gather } from '../../lib/gather.ts';
import type { Permit } from '../pace/route-gate.ts';
import type { Slice } from './slice.ts';

/** A slice that leaves by a sender. */
export interface Departure {
  readonly sender: Sender;
  readonly slice: Slice;
  readonly permit: Permit;
  /** It was not let begin. A sender that is closed answers without asking. */
  refused: boolean;
  /** In the order of its messages, once it was answered; none where the sender told nothing. */
  answers: readonly Answer[];
}

export interface DeparturesSettings {
  clock: Pick<Clock, 'monotonicMs' | 'soon'>;
  signal: AbortSignal;
  /** Asked at the last moment before its first byte leaves. */
  mayBegin: (departure: Departure) => boolean;
  onAnswered: (answered: readonly Departure[]) => void;
  onError: (error: unknown) => void;
}

/** So many messages wait for one another, and for so long: one that is rendered takes up to 15 ms. */
const together = { messages: 64, ms: 5 } as const;

/**
 * What leaves through a route. Slices that are taken together leave together, and where all was sent, answers of one
 * turn of the event loop are settled together. One by one, each message had the code of its whole way pass through the
 * processor's caches, and single ones left at six tenths of the rate (docs/decisions/stages.md).
 */
export class Departures {
  readonly #settings: DeparturesSettings;
  readonly #tellSoon: (departure: Departure) => void;
  #waiting: Departure[] = [];
  #messages = 0;
  #sinceMs = 0;

  constructor(settings: DeparturesSettings) {
    const { clock, onAnswered } = settings;
    this.#settings = settings;
    this.#tellSoon = gather((run) => clock.soon(run), onAnswered);
  }

  /** It leaves by the next `leave`. */
  add({ sender, slice, permit, refused }: Omit<Departure, 'answers'>, nowMs: number): void {
    if (this.#waiting.length === 0) this.#sinceMs = nowMs;
    this.#messages += slice.messages.length;
    // Not by spreading: V8 of Node 20 adds to a copied object in 1.5 µs, and makes one that is written out in 8 ns.
    this.#waiting.push({ sender, slice, permit, refused, answers: noAnswers });
  }

  /** Those that were added are enough, or have waited long enough. */
  areDue(nowMs: number): boolean {
    return (
      this.#messages >= together.messages || (this.#messages > 0 && nowMs - this.#sinceMs >= together.ms)
    );
  }

  /** Hands all that were added to their senders. */
  leave(): void {
    if (this.#waiting.length === 0) return;
    const leaving = this.#waiting;
    this.#waiting = [];
    this.#messages = 0;
    const nowMs = this.#settings.clock.monotonicMs();
    for (const departure of leaving) {
      departure.permit.beganAtMs = nowMs;
      this.#hand(departure);
    }
  }

  #hand(departure: Departure): void {
    const { signal, mayBegin, onError } = this.#settings;
    const ask = () => {
      departure.refused = !mayBegin(departure);
      return !departure.refused;
    };
    // A sender neither throws nor rejects; one that does has told nothing.
    const onFault = (error: unknown) => {
      onError(error);
      this.#tellSoon(departure);
    };
    try {
      const answering = departure.sender.send(departure.slice.messages, { signal, mayBegin: ask });
      answering.then((answers) => this.#take(departure, answers), onFault);
    } catch (error) {
      onFault(error);
    }
  }

  /**
   * Anything but a success is told at once: it says something of what is on its way at that moment, and others may be about to leave
   * for an endpoint that asks for a pause.
   */
  #take(departure: Departure, answers: readonly Answer[]): void {
    departure.answers = answers;
    if (answers.every(({ kind }) => kind === 'sent')) this.#tellSoon(departure);
    else this.#settings.onAnswered([departure]);
  }
}

const noAnswers: readonly Answer[] = [];
