import type { Client } from '../../client/client.ts';
import { SetDigest } from '../../lib/set-digest.ts';
import type { OthersResult } from './other-customers.ts';

/** What the simulated provider counted by itself. */
export interface Ledger {
  received: number;
  distinct: number;
  duplicates: number;
  requests: number;
  idsDigest: string;
}

export interface Books {
  accepted: number;
  /** Messages that the provider has. */
  received: number;
  lost: number;
  duplicated: number;
  /** The ids on both sides are the same set. */
  agree: boolean;
}

export interface FloodBooks extends Books {
  exported: number;
  exportSeconds: number;
}

export async function readLedger(sinkUrl: string): Promise<Ledger> {
  const answer = await fetch(new URL('/ledger', sinkUrl));
  return (await answer.json()) as Ledger;
}

/** Three accounts of the flood must be one: what the batch counts, what its export lists, what the provider has. */
export async function checkFlood(settings: {
  client: Client;
  batchId: string;
  sinkUrl: string;
  onCount: (count: number) => void;
  signal: AbortSignal;
}): Promise<FloodBooks> {
  const { client, batchId, sinkUrl, onCount, signal } = settings;
  const startedAtMs = performance.now();
  const digest = new SetDigest();
  const { count: exported } = await client.batches.exportLines({
    batchId,
    signal,
    write(lines, count) {
      for (const id of idsOf(lines)) digest.add(id);
      onCount(count);
    },
  });
  const [{ counts }, ledger] = await Promise.all([client.batches.get(batchId, signal), readLedger(sinkUrl)]);
  const books = compare(counts.accepted, ledger);
  return {
    ...books,
    agree: books.agree && exported === counts.accepted && digest.toHex() === ledger.idsDigest,
    exported,
    exportSeconds: (performance.now() - startedAtMs) / 1_000,
  };
}

/**
 * The others know the id of every message that was accepted from them. A post that was refused may have been stored
 * before the refusal (a COMMIT that outlived its deadline): only as many may the provider have beyond the accepted.
 */
export async function checkOthers(others: OthersResult, sinkUrl: string): Promise<Books> {
  const { ids, refused, missing } = others;
  const ledger = await readLedger(sinkUrl);
  const beyond = ledger.distinct - (ids.length - missing);
  const digest = new SetDigest();
  for (const id of ids) digest.add(id);
  return {
    accepted: ids.length,
    received: ledger.distinct,
    lost: missing,
    duplicated: ledger.duplicates,
    agree:
      missing === 0 &&
      ledger.duplicates === 0 &&
      beyond >= 0 &&
      beyond <= refused &&
      (beyond > 0 || digest.toHex() === ledger.idsDigest),
  };
}

function compare(accepted: number, { received, distinct, duplicates }: Ledger): Books {
  return {
    accepted,
    received: distinct,
    lost: Math.max(0, accepted - distinct),
    duplicated: duplicates,
    agree: accepted === distinct && duplicates === 0 && received === distinct,
  };
}

const idStart = '{"id":"';
const idLength = 36;

/** The server writes the id first; any other line is parsed. Parsing four million lines would take the longest. */
function* idsOf(lines: Buffer): Generator<string> {
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf(0x0a, start);
    const head = lines.toString('latin1', start, start + idStart.length + idLength + 1);
    if (head.startsWith(idStart) && head.endsWith('"')) yield head.slice(idStart.length, -1);
    else yield (JSON.parse(lines.toString('utf8', start, end)) as { id: string }).id;
    start = end + 1;
  }
}
