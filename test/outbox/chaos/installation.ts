import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { freePort } from '../../support/free-port.ts';
import { builtMain, type MillraceProcess, startProcess } from '../../support/start-process.ts';
import { testSecretKey } from '../../support/test-secrets.ts';
import type { AppDatabase } from '../app-database.ts';
import { adminKey, setRoute } from '../outbox-site.ts';
import type { RefSink } from '../ref-sink.ts';

export type Victim = 'the working drainer' | 'the drainer that stands by' | 'the server';

interface Drainer {
  child: ChildProcess;
  /** Resolves when it works or stands by. */
  up: Promise<void>;
  works: boolean;
}

/** Of a killed server's shards; the next one has the most of its start behind it by then. */
const leaseMs = 2_000;
const weights: [Victim, number][] = [
  ['the working drainer', 0.75],
  ['the server', 0.15],
  ['the drainer that stands by', 0.1],
];

/** A server and two drainers, each of which is started again as soon as it is killed. */
export class Installation {
  readonly kills: Record<Victim, number> = {
    'the working drainer': 0,
    'the drainer that stands by': 0,
    'the server': 0,
  };
  readonly #settings: { databaseUrl: string; app: AppDatabase; sink: RefSink; random: () => number };
  /** What a drainer told last of trouble with Millrace or its database. */
  lastTrouble = 'none';
  #port = 0;
  #server: Promise<MillraceProcess> | undefined;
  #drainers: Drainer[] = [];

  constructor(settings: { databaseUrl: string; app: AppDatabase; sink: RefSink; random: () => number }) {
    this.#settings = settings;
  }

  async start(): Promise<void> {
    this.#port = await freePort();
    this.#server = this.#startServer();
    await setRoute((await this.#server).url, this.#settings.sink);
    this.#drainers = [this.#startDrainer(), this.#startDrainer()];
    await Promise.all(this.#drainers.map(({ up }) => up));
  }

  /** kill -9; answers what. */
  async killOne(): Promise<Victim> {
    const victim = this.#draw();
    this.kills[victim]++;
    if (victim === 'the server') {
      await (await this.#server!).kill();
      this.#server = this.#startServer();
      // Somebody waits for it when it is needed.
      this.#server.catch(() => {});
      return victim;
    }
    await Promise.all(this.#drainers.map(({ up }) => up));
    const works = victim === 'the working drainer';
    const index = Math.max(
      0,
      this.#drainers.findIndex((drainer) => drainer.works === works),
    );
    const { child } = this.#drainers[index]!;
    child.kill('SIGKILL');
    await once(child, 'exit');
    this.#drainers[index] = this.#startDrainer();
    return victim;
  }

  async stop(): Promise<void> {
    for (const { child } of this.#drainers) child.kill('SIGTERM');
    await Promise.all(this.#drainers.map(({ child }) => exit(child)));
    await (await this.#server)?.stop();
  }

  #draw(): Victim {
    let at = this.#settings.random();
    for (const [victim, weight] of weights) {
      if (at < weight) return victim;
      at -= weight;
    }
    return weights[0]![0];
  }

  #startServer(): Promise<MillraceProcess> {
    const { databaseUrl } = this.#settings;
    return startProcess(
      [
        ...['serve', '--port', String(this.#port), '--database', databaseUrl, '--lease-ms', String(leaseMs)],
        ...['--log-level', 'error', '--stop-with-parent'],
      ],
      { MILLRACE_ADMIN_KEY: adminKey, MILLRACE_SECRET_KEY: testSecretKey },
    );
  }

  #startDrainer(): Drainer {
    const child = spawn(
      process.execPath,
      [builtMain(), 'outbox', '--poll-ms', '20', '--json', '--stop-with-parent'],
      {
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
        env: {
          PATH: process.env.PATH,
          MILLRACE_OUTBOX_DATABASE_URL: this.#settings.app.url,
          MILLRACE_URL: `http://127.0.0.1:${this.#port}`,
          MILLRACE_KEY: adminKey,
        },
      },
    );
    const drainer: Drainer = { child, works: false, up: Promise.resolve() };
    const lines = createInterface({ input: child.stdout! });
    drainer.up = new Promise((resolve) => {
      lines.on('line', (line) => {
        const { msg, error } = JSON.parse(line) as { msg: string; error?: string };
        if (error !== undefined) this.lastTrouble = `${msg}, ${error}`;
        if (msg === 'working') drainer.works = true;
        if (msg === 'working' || msg === 'standing by') resolve();
      });
      child.once('exit', () => resolve());
    });
    return drainer;
  }
}

async function exit(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
