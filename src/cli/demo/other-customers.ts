import { type Client, createClient } from '../../client/client.ts';
import { createRandom } from './random.ts';
import { watchArrivals } from './watch-arrivals.ts';

export interface OtherCustomers {
  /** From now on latencies count for this phase. */
  enter(phase: Phase): void;
  /** Messages that were answered with 202 so far. */
  accepted(): number;
  /** Posts no more, and waits until everything accepted has arrived, or `drainMaxMs` has passed. */
  finish(): Promise<OthersResult>;
  /** Ends at once. */
  stop(): void;
}

/** A flood is accepted, then the rest of it is delivered; who does not tell them apart calls both `flood`. */
export type Phase = 'warm-up' | 'calm' | 'flood' | 'backlog';

export interface OthersResult {
  accepted: number;
  /** Posts that got no 202. What became of them is not known to the customer. */
  refused: number;
  /** Why the first of them got none. */
  firstRefusal: string | null;
  /** Accepted, and not seen at the provider. */
  missing: number;
  ids: string[];
  latenciesMs: Record<Phase, number[]>;
}

/** The ordinary day. */
const accountsByDefault = 50;
const messagesPerSecondByDefault = 300;
const tickMs = 10;
/** Posts without an answer at once; beyond it the customers wait, as real ones would time out. */
const outstandingMax = 2_000;
const drainMaxMs = 30_000;
const retryMaxMs = 10_000;
/** What the references of their messages begin with. */
export const othersRefPrefix = 'reset-';

/**
 * Accounts that post single messages, 50 of them 300 a second in all unless said otherwise, whatever the server is busy with (an open loop: a
 * slow answer does not slow the next post). Latency runs from the post to the arrival at the provider.
 */
export async function startOtherCustomers(settings: {
  admin: Client;
  url: string;
  route: string;
  sinkUrl: string;
  accounts?: number;
  messagesPerSecond?: number;
}): Promise<OtherCustomers> {
  const { admin, url, route, sinkUrl } = settings;
  const { accounts = accountsByDefault, messagesPerSecond = messagesPerSecondByDefault } = settings;
  const clients = await createCustomers(admin, { url, accounts });
  const random = createRandom(7);
  const latenciesMs: Record<Phase, number[]> = { 'warm-up': [], calm: [], flood: [], backlog: [] };
  const ids: string[] = [];
  let phase: Phase = 'warm-up';
  let outstanding = 0;
  let refused = 0;
  let firstRefusal: string | null = null;

  const arrivals = watchArrivals(sinkUrl);
  const startedAtMs = performance.now();
  let posted = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAtMs) / 1_000) * messagesPerSecond);
    for (; posted < due && outstanding < outstandingMax; posted++)
      void post(clients[posted % clients.length]!, posted);
  }, tickMs);

  async function post(client: Client, number: number): Promise<void> {
    const during = phase;
    outstanding++;
    const postedAtMs = performance.timeOrigin + performance.now();
    try {
      const to = `+49151${10_000_000 + random(89_999_999)}`;
      const body = `Your password reset code is ${100_000 + random(899_999)}`;
      const { messages } = await client.messages.send(
        { to, body, ref: othersRefPrefix + number, route },
        { idempotencyKey: false },
      );
      const [message] = messages;
      if (message === undefined) throw new Error('the answer names no message');
      ids.push(message.id);
      arrivals.expect(message.id, (arrivedAtMs) => latenciesMs[during].push(arrivedAtMs - postedAtMs));
    } catch (error) {
      refused++;
      firstRefusal ??= error instanceof Error ? error.message : String(error);
    } finally {
      outstanding--;
    }
  }

  function stop(): void {
    clearInterval(timer);
    arrivals.stop();
    for (const client of clients) client.close();
  }

  return {
    enter: (next) => {
      phase = next;
    },
    accepted: () => ids.length,
    stop,
    async finish() {
      clearInterval(timer);
      const deadlineMs = performance.now() + drainMaxMs;
      while ((outstanding > 0 || arrivals.missing() > 0) && performance.now() < deadlineMs)
        await arrivals.runOnce();
      stop();
      return { accepted: ids.length, refused, firstRefusal, missing: arrivals.missing(), ids, latenciesMs };
    },
  };
}

async function createCustomers(
  admin: Client,
  { url, accounts }: { url: string; accounts: number },
): Promise<Client[]> {
  const clients: Client[] = [];
  for (let number = 1; number <= accounts; number++) {
    const account = await admin.accounts.create({ name: `Customer ${number}` });
    const { key } = await admin.keys.create({ accountId: account.id, scopes: ['send', 'read'] });
    clients.push(createClient({ url, key, userAgent: 'millrace-demo', retryAfterMaxMs: retryMaxMs }));
  }
  return clients;
}
