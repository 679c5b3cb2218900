import type { Answer, Connector, OutgoingMessage, Sender } from '../../src/connectors/connector.ts';
import type { Checker, Handover } from './checker.ts';
import type { OrderChecker } from './order-checker.ts';
import type { PaceChecker } from './pace-checker.ts';
import type { Scheduler } from './scheduler.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { Trace } from './trace.ts';
import type { Weather } from './weather.ts';

/** What a route's options say of the provider behind it. */
export interface ProviderTraits {
  batchMax: number;
  latencyMs: number;
  /** Reads requests and never answers. */
  blackHole: boolean;
}

/** Faults on purpose between a worker and its provider. */
export interface ConnectorPlant {
  /** Changes what the worker is told. */
  distort: (answer: Answer, route: string) => Answer;
  /** The worker is not asked whether a send may still begin. */
  unasked: boolean;
}

/** How long a sender waits for an answer. */
const timeoutMs = 800;
/** What was late may be taken when nobody waits for it any more. */
const lateMsMax = 3 * timeoutMs;
const retryAfterMsMax = 1_500;
/** Where connections take time: how often one is not there yet, and for how long at most; longer than a lease now and then. */
const connecting = { chance: 0.2, msMax: 3_000 };

const errorOf = (code: string) => ({ code, detail: 'the simulated provider' });
const unreachable: Answer = { kind: 'retry', error: errorOf('connect_failed') };
const notBegun: Answer = { kind: 'retry', error: errorOf('not_begun') };
const unclear: Answer = { kind: 'uncertain', error: errorOf('provider_timeout') };

/** The provider: what it takes is known to the checker, whatever it answers, and whether or not that arrives. */
export class ModelProvider {
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #checker: Checker;
  readonly #pace: PaceChecker;
  readonly #order: OrderChecker;
  weather: Weather;
  /** Names of routes whose provider cannot be reached. */
  readonly down = new Set<string>();
  /** Requests wait for their connections at times. */
  connects: SeededRandom | undefined;

  constructor(settings: {
    scheduler: Scheduler;
    random: SeededRandom;
    trace: Trace;
    checker: Checker;
    pace: PaceChecker;
    order: OrderChecker;
    weather: Weather;
    connects: SeededRandom | undefined;
  }) {
    this.#scheduler = settings.scheduler;
    this.#random = settings.random;
    this.#trace = settings.trace;
    this.#checker = settings.checker;
    this.#pace = settings.pace;
    this.#order = settings.order;
    this.weather = settings.weather;
    this.connects = settings.connects;
  }

  /** What one process sends through. */
  connector(process: SimulatedProcess, plant: ConnectorPlant): Connector {
    return {
      name: 'simulated',
      onUncertainDefault: 'resend',
      optionSchemas: {},
      check: () => [],
      open: ({ options }) => {
        const { route, traits } = options as { route: string; traits: ProviderTraits };
        return this.#sender({ process, route, traits, ...plant });
      },
    };
  }

  #sender(of: { process: SimulatedProcess; route: string; traits: ProviderTraits } & ConnectorPlant): Sender {
    const { process, route, traits, distort, unasked } = of;
    return {
      batchMax: traits.batchMax,
      send: (messages, { signal, mayBegin }) => {
        const recipients = messages.map(({ fields }) => fields.to);
        const ended = this.#pace.onRequest(process, { route, recipients });
        return new Promise((resolve) => {
          let handovers: Handover[] = [];
          let answered = false;
          const answer = (answers: Answer[]) => {
            if (answered) return;
            answered = true;
            callOff?.();
            forget();
            ended();
            this.#trace.note(process.name, 'is told', answers.map(({ kind }) => kind).join(' '));
            const told = answers.map((each) => distort(each, route));
            for (const [index, handover] of handovers.entries()) handover.answered = answers[index]!.kind;
            resolve(told);
          };
          const all = (each: Answer) => messages.map(() => each);
          let callOff: (() => void) | undefined;
          let begun = false;
          const forget = process.onAbort(signal, () => answer(all(begun ? unclear : notBegun)));
          const giveUpInTime = () => {
            callOff ??= process.clock.after(timeoutMs, () => answer(all(unclear)));
          };
          const back = (answers: Answer[], ms: number) =>
            this.#scheduler.after(ms, () => process.arrive(() => answer(answers)));
          const begin = () => {
            if (answered) return;
            if (!unasked && !mayBegin()) return answer(all(notBegun));
            begun = true;
            handovers = this.#begin(process, route, messages);
            this.#carry({ messages, handovers, route, traits, all, back, giveUpInTime });
          };
          if (this.connects?.chance(connecting.chance)) {
            const ms = this.connects.between(0, connecting.msMax);
            this.#scheduler.after(ms, () => process.arrive(begin));
          } else begin();
        });
      },
      rehearse: () => ({ kind: 'sent' }),
      close: async () => {},
    };
  }

  /** The first byte leaves. */
  #begin(process: SimulatedProcess, route: string, messages: readonly OutgoingMessage[]): Handover[] {
    this.#trace.note(process.name, `sends through ${route}`, messages.map(({ id }) => id).join(' '));
    const handovers = messages.map((message) => this.#checker.onSend(process.name, message));
    for (const { id } of messages) this.#order.onSend(process.name, id);
    return handovers;
  }

  /** Brings a request to the provider, or not, and its answer back, or not. */
  #carry(request: {
    messages: readonly OutgoingMessage[];
    handovers: Handover[];
    route: string;
    traits: ProviderTraits;
    all: (each: Answer) => Answer[];
    back: (answers: Answer[], ms: number) => void;
    giveUpInTime: () => void;
  }): void {
    const { messages, handovers, route, traits, all, back, giveUpInTime } = request;
    const random = this.#random;
    const { weather } = this;
    const onewayMs = random.between(0.2, 1) * traits.latencyMs;
    if (this.down.has(route) || random.chance(weather.providerUnreachable)) {
      back(all(unreachable), onewayMs);
      return;
    }
    if (traits.blackHole) {
      giveUpInTime();
      return;
    }
    const reset = random.chance(weather.providerReset);
    // Reset before anything was read; the sender cannot tell.
    if (reset && random.chance(0.5)) {
      back(all(unclear), onewayMs);
      return;
    }
    const late = random.chance(weather.providerLate);
    const silent = random.chance(weather.providerSilent);
    if (late || silent) giveUpInTime();
    this.#scheduler.after(late ? random.between(0, lateMsMax) : onewayMs, () => {
      const answers = handovers.map((handover, index) => this.#take(handover, messages[index]!));
      if (!silent) back(reset ? all(unclear) : answers, onewayMs);
    });
  }

  #take(handover: Handover, { id }: OutgoingMessage): Answer {
    const { weather } = this;
    const random = this.#random;
    if (random.chance(weather.rejected)) return { kind: 'rejected', error: errorOf('invalid_recipient') };
    if (random.chance(weather.refused)) {
      const error = errorOf('rate_limited');
      return random.chance(0.5)
        ? { kind: 'retry', error }
        : { kind: 'retry', error, retryAfterMs: random.whole(1, retryAfterMsMax) };
    }
    // A 500 tells nothing: the message may have been taken.
    const broken = random.chance(weather.broken);
    if (broken && random.chance(0.5)) return unclear;
    handover.taken = true;
    this.#trace.note('provider', 'takes', id);
    return broken ? unclear : { kind: 'sent', providerRef: id.slice(-4) };
  }
}
