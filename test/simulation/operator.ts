import { stateNumber } from '../../src/message/state.ts';
import { DatabaseError } from '../../src/store/database.ts';
import type { Checker } from './checker.ts';
import type { Intake } from './intake.ts';
import { ModelClient } from './model-client.ts';
import { type DecisionWrites, modelDecisions } from './model-decisions.ts';
import type { ModelServer } from './model-server.ts';
import type { Scenario } from './scenario.ts';
import { SimulatedProcess } from './simulated-process.ts';
import type { Workers } from './workers.ts';

/** How often what was not answered is asked again; whether or not the first one was committed. */
const triesMax = 3;
const pauseMs = { min: 100, max: 3_000 };
/** A route is mostly paused for shorter: everything else waits meanwhile. */
const routePauseMsMax = 2_000;
/** Once what went wrong has ended, every pause is taken back, as often as it takes. */
const retryMs = 200;
/** A request that the client gave up may arrive, and be committed, so much later. */
const lateMsMax = 6_000;

const openStates = [stateNumber.queued, stateNumber.sending, stateNumber.retrying];
const replayable = ['failed', 'expired', 'canceled', 'uncertain'] as const;

/** Decides on messages, batches and routes through the database as the API does: at any moment, and not knowing whether a COMMIT took place. */
export class Operator {
  readonly #scenario: Scenario;
  readonly #server: ModelServer;
  readonly #checker: Checker;
  readonly #intake: Intake;
  readonly #workers: Workers;
  readonly #process: SimulatedProcess;
  readonly #writes: DecisionWrites;
  #open = 0;

  constructor(settings: {
    scenario: Scenario;
    server: ModelServer;
    checker: Checker;
    intake: Intake;
    workers: Workers;
  }) {
    this.#scenario = settings.scenario;
    this.#server = settings.server;
    this.#checker = settings.checker;
    this.#intake = settings.intake;
    this.#workers = settings.workers;
    const { scheduler, random } = settings.server;
    const machine = { wallMs: 0, monotonicMs: 0, rate: 1, monotonicSteps: false };
    this.#process = new SimulatedProcess({ name: 'operator', scheduler, random, machine });
    let requests = 0;
    this.#writes = modelDecisions(new ModelClient(settings.server, this.#process), () => `r${++requests}`);
  }

  /** Everything has been decided, and owners have answered. */
  get isOver(): boolean {
    return this.#open === 0 && this.#server.database.inbox.size === 0;
  }

  begin(): void {
    const { random, scheduler } = this.#server;
    const kinds = [
      ...[this.#cancelMessage, this.#cancelMessage, this.#replayMessage, this.#replayMessage],
      ...[this.#pauseBatch, this.#pauseBatch, this.#cancelBatch, this.#replayBatch, this.#replayBatch],
      ...[this.#resolveBatch, this.#pauseRoute],
    ];
    for (let decision = 0; decision < this.#scenario.decisions; decision++) {
      const kind = random.pick(kinds);
      this.#open++;
      scheduler.after(random.between(0, this.#scenario.workMs), () =>
        this.#process.arrive(() => {
          void kind.call(this).finally(() => this.#open--);
        }),
      );
    }
  }

  async #cancelMessage(): Promise<void> {
    const message = this.#pickMessage(openStates);
    if (message === undefined) return;
    const { id: messageId, chunk } = message;
    this.#note('cancels', messageId);
    await this.#try(() => this.#writes.requestOfMessage({ ...chunk, messageId, kind: 'cancel', filter: {} }));
  }

  async #replayMessage(): Promise<void> {
    const message = this.#pickMessage(replayable.map((state) => stateNumber[state]));
    if (message === undefined) return;
    const { id: messageId, chunk } = message;
    const filter = { states: [...replayable] };
    this.#note('replays', messageId);
    await this.#try(() => this.#writes.requestOfMessage({ ...chunk, messageId, kind: 'replay', filter }));
  }

  async #pauseBatch(): Promise<void> {
    const batch = this.#pickBatch();
    if (batch === undefined) return;
    this.#note('pauses', batch);
    const answered = await this.#try(() => this.#writes.pauseBatch(batch));
    await this.#wait(this.#server.random.between(pauseMs.min, pauseMs.max));
    this.#note('resumes', batch);
    await this.#untilDone(() => this.#writes.resumeBatch(batch));
    if (answered) return;
    // One that was not answered may still be on its way, and would be the last word.
    await this.#wait(lateMsMax);
    await this.#untilDone(() => this.#writes.resumeBatch(batch));
  }

  async #cancelBatch(): Promise<void> {
    const batch = this.#pickBatch();
    if (batch === undefined) return;
    this.#note('cancels', batch);
    await this.#try(() => this.#writes.cancelBatch(batch));
  }

  async #replayBatch(): Promise<void> {
    const batch = this.#pickBatch();
    if (batch === undefined) return;
    const states = replayable.filter(() => this.#server.random.chance(0.6));
    this.#note('replays', batch);
    await this.#try(() =>
      this.#writes.requestOfBatch({ batch, kind: 'replay', states, filter: { states: [...states] } }),
    );
  }

  async #resolveBatch(): Promise<void> {
    const batch = this.#pickBatch();
    if (batch === undefined) return;
    const state = this.#server.random.pick(['sent', 'failed'] as const);
    this.#note('resolves', batch);
    await this.#try(() =>
      this.#writes.requestOfBatch({ batch, kind: 'resolve', states: ['uncertain'], filter: { state } }),
    );
  }

  async #pauseRoute(): Promise<void> {
    const route = this.#server.random.pick(this.#scenario.routes);
    this.#note('pauses', route.name);
    this.#workers.pauseRoute(route, true);
    this.#checker.holdRoute(route.id, 'paused');
    await this.#wait(this.#server.random.between(pauseMs.min, routePauseMsMax));
    this.#note('resumes', route.name);
    this.#checker.holdRoute(route.id, undefined);
    this.#workers.pauseRoute(route, false);
  }

  #pickMessage(states: readonly number[]) {
    const found = this.#checker.inStates(states);
    return found.length === 0 ? undefined : this.#server.random.pick(found);
  }

  #pickBatch(): string | undefined {
    const { batches } = this.#intake;
    return batches.length === 0 ? undefined : this.#server.random.pick(batches);
  }

  /**
   * Asked again when the answer was lost; in the end it may have been done never, once or more often.
   * True when the first one was answered.
   */
  async #try(write: () => Promise<unknown>): Promise<boolean> {
    for (let left = triesMax; left > 0; left--) {
      try {
        await write();
        return left === triesMax;
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error;
      }
    }
    return false;
  }

  async #untilDone(write: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await write();
        return;
      } catch (error) {
        if (!(error instanceof DatabaseError)) throw error;
        await this.#wait(retryMs);
      }
    }
  }

  #wait(ms: number): Promise<void> {
    return this.#process.clock.sleep(ms);
  }

  #note(what: string, of: string): void {
    this.#server.trace.note('operator', what, of);
  }
}
