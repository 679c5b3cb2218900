import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../../src/client/client.ts';
import { adminKey, type RouteName, routeNames } from './installation.ts';

export interface Flood {
  /** References of the messages that were accepted with a 2xx, by route. */
  accepted: Record<RouteName, Set<string>>;
  /** Begins nothing new; resolves when everything begun has been accepted. */
  end(): Promise<void>;
}

const uploadLines = 2_500;
const oneShotMessages = 700;
const singlesMax = 4;
const singleSenders = 3;
/** Messages of a route that are accepted and not delivered: beyond it uploads wait. */
const backlogMax = 5_000;
const pauseMs = 40;
/** Whatever breaks is tried again for as long as the run lasts, as a queue of a customer does. */
const attemptsMax = 100_000;
const noProgressMaxMs = 600_000;

export interface FloodSettings {
  apiUrl: string;
  random: () => number;
  /** Messages of a route that have arrived. */
  delivered: (route: RouteName) => number;
}

/** Customers of each route: uploads that resume, keyed one-shots and keyed singles. */
export function startFlood({ apiUrl, random, delivered }: FloodSettings): Flood {
  const client = createClient({ url: apiUrl, key: adminKey, attemptsMax, silenceMs: 20_000 });
  const accepted: Flood['accepted'] = { resend: new Set(), hold: new Set() };
  const ending = new AbortController();
  const customers: Promise<void>[] = [];
  for (const route of routeNames) {
    const customer: Customer = {
      client,
      route,
      random,
      accepted: accepted[route],
      hasRoom: () => accepted[route].size - delivered(route) < backlogMax,
      ended: ending.signal,
    };
    customers.push(repeat(customer, uploadOnce), repeat(customer, oneShot));
    for (let n = 0; n < singleSenders; n++) customers.push(repeat(customer, singles));
  }
  return {
    accepted,
    async end() {
      ending.abort();
      await Promise.all(customers);
      client.close();
    },
  };
}

interface Customer {
  client: Client;
  route: RouteName;
  random: () => number;
  accepted: Set<string>;
  hasRoom: () => boolean;
  ended: AbortSignal;
}

let series = 0;

async function repeat(customer: Customer, send: (customer: Customer, prefix: string) => Promise<number>) {
  while (!customer.ended.aborted) {
    if (customer.hasRoom()) {
      const prefix = `${customer.route}-${send.name}-${series++}-`;
      const count = await send(customer, prefix);
      for (let n = 0; n < count; n++) customer.accepted.add(prefix + n);
    }
    await sleep(pauseMs * (0.5 + customer.random()));
  }
}

/** Answers how many messages were accepted, as every sender here does. */
async function uploadOnce({ client, route }: Customer, prefix: string): Promise<number> {
  const batch = await client.batches.create({ route }, { idempotencyKey: `${prefix}create` });
  const answer = await client.batches.upload({
    batchId: batch.id,
    line: 1,
    close: true,
    noProgressMaxMs,
    source: {
      contentType: 'application/x-ndjson',
      open: (line) => Readable.from(linesFrom(prefix, line)),
    },
  });
  if (answer.nextLine !== uploadLines + 1) throw new Error(`an upload ended at line ${answer.nextLine}`);
  return uploadLines;
}

function* linesFrom(prefix: string, line: number): Generator<string> {
  for (let n = line - 1; n < uploadLines; n++) yield `${JSON.stringify(message(prefix, n))}\n`;
}

async function oneShot({ client, route }: Customer, prefix: string): Promise<number> {
  const { value } = await client.call<{ counts: { accepted: number } }>({
    method: 'POST',
    path: '/v1/batches',
    query: { route },
    idempotencyKey: prefix,
    body: Array.from({ length: oneShotMessages }, (_, n) => message(prefix, n)),
  });
  if (value.counts.accepted !== oneShotMessages) throw new Error(`accepted ${value.counts.accepted}`);
  return oneShotMessages;
}

async function singles({ client, route, random }: Customer, prefix: string): Promise<number> {
  const count = 1 + Math.floor(random() * singlesMax);
  const messages = Array.from({ length: count }, (_, n) => ({ ...message(prefix, n), route }));
  const answer = await client.messages.send(messages, { idempotencyKey: prefix });
  return answer.messages.length;
}

function message(prefix: string, n: number) {
  return { to: `+3161${String(n).padStart(7, '0')}`, body: `Chaos ${n}`, ref: prefix + n };
}
