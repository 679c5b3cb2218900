import { setTimeout as pause } from 'node:timers/promises';

/** Where to post. */
type Targets = readonly { url: string }[];

export interface Posting {
  /** Messages that were accepted until now. */
  readonly accepted: number;
  /** When each single message that was accepted was to be sent, in Unix milliseconds. */
  readonly singles: ReadonlyMap<string, number>;
  /** What was not accepted, in words. */
  readonly failures: readonly string[];
  /** Resolves when nothing is on its way any more to servers that were posted to before. */
  postTo(targets: Targets): Promise<void>;
  /** Resolves when so many more were accepted, or one was not. */
  more(messages: number): Promise<void>;
  stop(): Promise<void>;
}

const linesOfBatch = 50;
const singlesOfRound = 4;
/** Between rounds: it shall not come in faster than it leaves. */
const pauseMs = 50;
/** Of single messages at a pace, so many may be without an answer; more is a failure. */
const underWayMax = 800;

/**
 * Posts round by round, to each server a batch and a few single messages, until it is stopped. With `singlesEveryMs`
 * single messages are posted at that pace instead, whether or not those before are answered: a stall then shows in all
 * that were due in it.
 */
export function keepPosting(settings: {
  key: string;
  targets: Targets;
  singleRoute?: string;
  singlesEveryMs?: number;
}): Posting {
  const { key, singleRoute = 'flood', singlesEveryMs } = settings;
  let { targets } = settings;
  let stopped = false;
  let accepted = 0;
  const singles = new Map<string, number>();
  const failures: string[] = [];
  let waiting: (() => void)[] = [];

  async function post(url: string, { type, body }: { type: string; body: string }): Promise<unknown> {
    try {
      const headers = { authorization: `Bearer ${key}`, 'content-type': type };
      const answer = await fetch(url, { method: 'POST', headers, body });
      const said = await answer.text();
      if (answer.ok) return JSON.parse(said);
      failures.push(`${answer.status} ${said}`);
    } catch (error) {
      failures.push(String((error as Error).cause ?? error));
    }
    return undefined;
  }
  async function postBatch(url: string): Promise<void> {
    const body = '{"to":"+31612345678","body":"Flood"}\n'.repeat(linesOfBatch);
    const answer = await post(`${url}/v1/batches?route=flood`, { type: 'application/x-ndjson', body });
    if (answer) accepted += linesOfBatch;
  }
  async function postSingle(url: string, dueMs = unixMs()): Promise<void> {
    const body = JSON.stringify({ to: '+31612345678', route: singleRoute, body: 'Single' });
    const answer = await post(`${url}/v1/messages`, { type: 'application/json', body });
    if (!answer) return;
    accepted++;
    singles.set((answer as { messages: [{ id: string }] }).messages[0].id, dueMs);
  }
  async function postAtPace(everyMs: number): Promise<void> {
    const underWay = new Set<Promise<void>>();
    const beganMs = unixMs();
    for (let n = 0; !stopped; n++) {
      const dueMs = beganMs + n * everyMs;
      await pause(Math.max(0, dueMs - unixMs()));
      if (underWay.size >= underWayMax) {
        failures.push(`${underWay.size} single messages are without an answer`);
        break;
      }
      const posted = postSingle(targets[n % targets.length]!.url, dueMs).finally(() =>
        underWay.delete(posted),
      );
      underWay.add(posted);
    }
    await Promise.all(underWay);
  }
  async function round(): Promise<void> {
    const told = waiting;
    waiting = [];
    await Promise.all(
      targets.flatMap(({ url }) => [
        postBatch(url),
        ...Array.from({ length: singlesEveryMs === undefined ? singlesOfRound : 0 }, () => postSingle(url)),
      ]),
    );
    for (const tell of told) tell();
    await pause(pauseMs);
  }
  /** One that begins after this. */
  const nextRound = () => new Promise<void>((resolve) => waiting.push(resolve));
  const ended = (async () => {
    const paced = singlesEveryMs === undefined ? undefined : postAtPace(singlesEveryMs);
    while (!stopped) await round();
    await paced;
    for (const tell of waiting) tell();
  })();
  return {
    get accepted() {
      return accepted;
    },
    singles,
    failures,
    async postTo(fresh) {
      targets = fresh;
      await nextRound();
    },
    async more(messages) {
      const from = accepted;
      while (accepted < from + messages && failures.length === 0) await nextRound();
    },
    async stop() {
      stopped = true;
      await ended;
    },
  };
}

function unixMs(): number {
  return performance.timeOrigin + performance.now();
}
