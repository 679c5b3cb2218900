import { DatabaseError } from '../../src/store/database.ts';
import { faultOf } from '../../src/store/fault.ts';
import type { Session } from './model-database.ts';
import type { ModelServer } from './model-server.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** What the server does at a request; it may answer later, when it had to wait for a lock. */
export type Execute<Result> = (session: Session, reply: Reply<Result>) => void;
export type Reply<Result> = (result: Result) => void;

/** After so long without an answer the client gives a connection up. */
const clientTimeoutMs = 2_000;
const latencyMs = { min: 0.2, max: 1.5 };
/** What the network keeps back for longer than the client waits still arrives. */
const lateMsMax = 1.5 * clientTimeoutMs;
/** How long the server may take to notice that a client is gone. */
const noticeMsMax = 500;

/** The connections of one process to the database, over a network that loses and delays. */
export class ModelClient {
  readonly server: ModelServer;
  readonly #process: SimulatedProcess;
  readonly #open = new Set<Connection>();
  /** Nothing gets through. */
  #cut = false;

  constructor(server: ModelServer, process: SimulatedProcess) {
    this.server = server;
    this.#process = process;
    process.onEnd(() => {
      for (const connection of this.#open) connection.drop();
    });
  }

  cut(isCut: boolean): void {
    this.#cut = isCut;
  }

  get isCut(): boolean {
    return this.#cut;
  }

  /** One statement, which is a transaction of its own. */
  async query<Result>(name: string, execute: Execute<Result>): Promise<Result> {
    const connection = this.#connect(name);
    try {
      return await connection.call((session, reply) => {
        execute(session, (result) => this.server.commit(session, () => reply(result)));
      });
    } finally {
      this.#open.delete(connection);
    }
  }

  /** One after another: each statement is a round trip, and so is COMMIT. */
  async transaction<Result>(
    name: string,
    work: (connection: Connection) => Promise<Result>,
  ): Promise<Result> {
    const connection = this.#connect(name);
    try {
      const result = await work(connection);
      await connection.call<void>((session, reply) => this.server.commit(session, () => reply()));
      return result;
    } catch (error) {
      connection.drop();
      throw error;
    } finally {
      this.#open.delete(connection);
    }
  }

  #connect(name: string): Connection {
    const connection = new Connection({
      client: this,
      process: this.#process,
      session: this.server.begin(`${this.#process.name} ${name}`),
    });
    this.#open.add(connection);
    return connection;
  }
}

/** One connection, for one transaction. */
export class Connection {
  readonly #client: ModelClient;
  readonly #process: SimulatedProcess;
  readonly #session: Session;
  #heardMs = Number.NEGATIVE_INFINITY;
  #arrivesMs = 0;
  #dropped = false;

  constructor(of: { client: ModelClient; process: SimulatedProcess; session: Session }) {
    this.#client = of.client;
    this.#process = of.process;
    this.#session = of.session;
  }

  /** One round trip. It rejects when the answer does not come, whatever became of the request. */
  call<Result>(execute: Execute<Result>): Promise<Result> {
    const { scheduler, random } = this.#client.server;
    return new Promise((resolve, reject) => {
      let settled = false;
      let callOff: (() => void) | undefined;
      const settle = (run: () => void) => {
        if (settled) return;
        settled = true;
        callOff?.();
        run();
      };
      const fail = (code: string) =>
        settle(() => {
          this.drop();
          reject(lost(code));
        });
      const giveUpInTime = () => {
        callOff ??= this.#process.clock.after(clientTimeoutMs, () => fail('ETIMEDOUT'));
      };
      /** Nothing more comes: the connection is reset, or nobody says so. */
      const vanish = () => {
        if (random.chance(0.5))
          scheduler.after(this.#delay(false), () => this.#process.arrive(() => fail('ECONNRESET')));
        else giveUpInTime();
      };
      const { weather } = this.#client.server;
      const late = random.chance(weather.requestLate);
      if (late) giveUpInTime();
      if (this.#client.isCut || random.chance(weather.requestLost)) return vanish();
      const thereMs = this.#delay(late);
      this.#arrivesMs = scheduler.nowMs + thereMs;
      scheduler.after(thereMs, () => {
        let answered = false;
        this.#execute(execute, (outcome) => {
          answered = true;
          const answerLate = random.chance(weather.answerLate);
          if (this.#client.isCut || random.chance(weather.answerLost)) return vanish();
          if (answerLate) giveUpInTime();
          scheduler.after(this.#delay(answerLate), () => {
            this.#process.arrive(() =>
              'code' in outcome ? fail(outcome.code) : settle(() => resolve(outcome.result)),
            );
          });
        });
        if (!answered) giveUpInTime();
      });
    });
  }

  /** The client is through with it. What had left before still arrives, and then the server sees the end. */
  drop(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    const { scheduler, random, database } = this.#client.server;
    const waitMs = Math.max(0, this.#arrivesMs - scheduler.nowMs) + random.next() * noticeMsMax;
    scheduler.after(waitMs, () => database.abort(this.#session));
  }

  #execute<Result>(
    execute: Execute<Result>,
    answer: (outcome: { code: string } | { result: Result }) => void,
  ): void {
    const { server } = this.#client;
    const session = this.#session;
    if (server.away || session.ended) {
      answer({ code: '57P01' });
      return;
    }
    const first = this.#heardMs < 0;
    this.#heardMs = server.scheduler.nowMs;
    execute(session, (result) => answer({ result }));
    if (first && !session.ended) server.watch(session, () => this.#heardMs);
  }

  #delay(late: boolean): number {
    const { random } = this.#client.server;
    return random.between(latencyMs.min, late ? lateMsMax : latencyMs.max);
  }
}

function lost(code: string): DatabaseError {
  return new DatabaseError(faultOf({ code, message: 'the simulated connection is lost' }), undefined);
}
