import type { ReplicatedServer } from './replicated-server.ts';

export interface StaleReads {
  pairs: number;
  /** Reads right behind their write. */
  stale: number;
  /** Reads of what was written before, with its own token, after any time. */
  laterReads: number;
  laterStale: number;
  /** Answers that were neither the message nor that there is none. */
  failed: string[];
  /** Reads by where they were made: `primary`, or the port of a standby. */
  targets: Record<string, number>;
  seconds: number;
}

interface Written {
  id: string;
  token: string;
}

interface CountSettings {
  pairs: number;
  withToken: boolean;
  /** On a machine that is busy with other work fewer are enough, but not fewer than some. */
  secondsMax?: number;
  onPair?: (done: number) => void;
}

const pairsMin = 200;
/** Writers at once. */
const writers = 16;
/** Of what was written, so much is kept for later reads: taken evenly, so that all ages are there. */
const keptMax = 20_000;

/**
 * Writes messages and reads each at once, with the token of its write or without any. With tokens, each pair also reads
 * an older message: a replica that is held back serves nothing else.
 */
export async function countStaleReads(
  site: ReplicatedServer,
  { pairs, withToken, secondsMax = Number.POSITIVE_INFINITY, onPair }: CountSettings,
): Promise<StaleReads> {
  const before = await site.reads();
  const beganMs = performance.now();
  const counts = { stale: 0, laterReads: 0, laterStale: 0 };
  const failed: string[] = [];
  const kept: Written[] = [];
  let begun = 0;
  let done = 0;

  async function isThere({ id, token }: Written): Promise<boolean> {
    const { status, json } = await site.get(`/v1/messages/${id}`, withToken ? token : undefined);
    if (status !== 200 && status !== 404) failed.push(`${status} ${JSON.stringify(json)}`);
    return status !== 404;
  }

  async function write(): Promise<void> {
    const endMs = beganMs + secondsMax * 1_000;
    while (begun < pairs && (begun < pairsMin || performance.now() < endMs)) {
      begun++;
      const written = await site.send();
      if (!(await isThere(written))) counts.stale++;
      const older = kept[Math.floor(Math.random() * kept.length)];
      if (withToken && older) {
        counts.laterReads++;
        if (!(await isThere(older))) counts.laterStale++;
      }
      if (kept.length < keptMax) kept.push(written);
      else kept[Math.floor(Math.random() * keptMax)] = written;
      done++;
      onPair?.(done);
    }
  }

  await Promise.all(Array.from({ length: writers }, write));
  const after = await site.reads();
  const targets = Object.fromEntries(
    [...after].map(([target, count]) => [target, count - (before.get(target) ?? 0)]),
  );
  const seconds = (performance.now() - beganMs) / 1_000;
  return { pairs: done, ...counts, failed, targets, seconds };
}
