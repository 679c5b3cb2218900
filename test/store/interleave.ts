import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, openDatabase, type Queryable } from '../../src/store/database.ts';

/** Two that use the database at the same time, each on a connection of its own, statement by statement. */
export interface Actors {
  zombie: (database: Database) => Promise<unknown>;
  taker: (database: Database) => Promise<unknown>;
}

export type ActorName = keyof Actors;

const names = ['zombie', 'taker'] as const;
/** One execution takes milliseconds; one that stands still is a defect of the test or of the locks. */
const standstillMs = 20_000;
const pollMs = 1;

/**
 * Runs every order in which the statements of two actors can meet, each execution on what `prepare` makes. A
 * statement that waits for a lock of the other stays where it is, as the database says, while the other goes on; so
 * an order that the database does not allow is none. Answers how many there were.
 */
export async function interleave<Ground>(settings: {
  url: string;
  prepare: () => Promise<Ground>;
  actors: (ground: Ground) => Actors;
  /** Answers whether the next order is to be tried. */
  check: (ground: Ground, order: readonly string[]) => Promise<boolean>;
}): Promise<number> {
  const { url, prepare, actors, check } = settings;
  const monitor = openDatabase({ url, poolSize: 1, name: 'interleave monitor' });
  const stages = { zombie: new Stage(url, monitor), taker: new Stage(url, monitor) };
  try {
    let executions = 0;
    for (let choices: Choice[] | undefined = []; choices; choices = nextChoices(choices)) {
      const ground = await prepare();
      const order = await runOnce({ stages, actors: actors(ground), choices });
      executions++;
      if (!(await check(ground, order))) break;
    }
    return executions;
  } finally {
    await Promise.all([stages.zombie.close(), stages.taker.close(), monitor.close()]);
  }
}

/** Who went on at a point where either could. */
interface Choice {
  taken: ActorName;
  other: ActorName | undefined;
}

/** The next branch of the tree, depth first: the last point at which there was another one. */
function nextChoices(choices: Choice[]): Choice[] | undefined {
  const at = choices.findLastIndex(({ other }) => other !== undefined);
  if (at < 0) return undefined;
  return [...choices.slice(0, at), { taken: choices[at]!.other!, other: undefined }];
}

/** Follows the choices, and appends those that it meets beyond them. */
async function runOnce({
  stages,
  actors,
  choices,
}: {
  stages: Record<ActorName, Stage>;
  actors: Actors;
  choices: Choice[];
}): Promise<string[]> {
  const order: string[] = [];
  for (const name of names) await stages[name].begin(actors[name]);
  for (let step = 0; ; step++) {
    for (const name of names) await stages[name].settled();
    const ready = names.filter((name) => stages[name].waiting !== undefined);
    if (ready.length === 0) break;
    const [first, second] = ready;
    choices[step] ??= { taken: first!, other: second };
    const { taken } = choices[step]!;
    order.push(`${taken}: ${stages[taken].waiting}`);
    stages[taken].goOn();
  }
  for (const name of names) await stages[name].end();
  return order;
}

/** One actor, stopped before each statement. */
class Stage {
  readonly #database: Database;
  readonly #monitor: Database;
  #pid = 0;
  #work: Promise<unknown> = Promise.resolve();
  #over = true;
  #release = () => {};
  /** The statement before which it stands. */
  waiting: string | undefined;

  constructor(url: string, monitor: Database) {
    this.#database = openDatabase({ url, poolSize: 1, name: 'interleaved' });
    this.#monitor = monitor;
  }

  async begin(work: (database: Database) => Promise<unknown>): Promise<void> {
    const { rows } = await this.#database.query<{ pid: number }>(sql('SELECT pg_backend_pid() AS pid'));
    this.#pid = rows[0]!.pid;
    this.#over = false;
    this.#work = work(this.#gated()).finally(() => {
      this.#over = true;
    });
    this.#work.catch(() => {});
  }

  /** Resolves when it stands before a statement, waits for a lock, or is at its end. */
  async settled(): Promise<void> {
    const deadline = performance.now() + standstillMs;
    while (!this.#over && this.waiting === undefined && !(await this.#isBlocked())) {
      if (performance.now() > deadline) throw new Error('a statement neither ended nor waits for a lock');
      await sleep(pollMs);
    }
  }

  goOn(): void {
    this.waiting = undefined;
    this.#release();
  }

  async end(): Promise<void> {
    await this.#work;
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #isBlocked(): Promise<boolean> {
    const { rows } = await this.#monitor.query<{ blocked: boolean }>(
      sql('SELECT cardinality(pg_blocking_pids($1)) > 0 AS blocked'),
      [this.#pid],
    );
    return rows[0]!.blocked;
  }

  #gate(statement: string): Promise<void> {
    return new Promise((resolve) => {
      this.#release = resolve;
      this.waiting = statement;
    });
  }

  #gated(): Database {
    const gatedOn = (queryable: Queryable): Queryable => ({
      query: async (statement, values) => {
        await this.#gate(statement.name);
        return await queryable.query(statement, values);
      },
    });
    const transaction: Database['transaction'] = (work) =>
      this.#database.transaction(async (one) => {
        const result = await work(gatedOn(one));
        await this.#gate('COMMIT');
        return result;
      });
    return {
      ...gatedOn(this.#database),
      transaction,
      // To the server they come one after another however they were sent.
      transactionOf: (calls) =>
        transaction(async (one) => {
          for (const { statement, values } of calls) await one.query(statement, values);
        }),
      use: () => this.#database.use(),
      close: async () => {},
    };
  }
}

function sql(text: string) {
  return { name: '', text };
}
