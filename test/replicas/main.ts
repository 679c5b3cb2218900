import { parseArgs } from 'node:util';
import { startReplicated } from './replicated-server.ts';
import { countStaleReads } from './stale-reads.ts';

/**
 * `npm run stale-reads -- --pairs 100000`: so many messages are written and each is read at once, first without the
 * token of its write and then with it, from a primary and four replicas that are held back. Ends with status 0 when no
 * read with a token was stale, and some without one was, so that the replicas were asked at all.
 */
const { values } = parseArgs({ options: { pairs: { type: 'string', default: '100000' } } });
const pairs = Number(values.pairs);
if (!Number.isInteger(pairs) || pairs < 1) throw new Error('--pairs must be a whole number from 1');

const delaysMs = [0, 1_000, 15_000, 60_000];
const tellEvery = 10_000;

const site = await startReplicated({ delaysMs, args: ['--replica-lag-max-ms', '600000'] });
try {
  const ports = site.standbys.map(({ port }, index) => [
    String(port),
    `held back ${delaysMs[index]! / 1_000} s`,
  ]);
  const names = new Map([['primary', 'primary'], ...(ports as [string, string][])]);
  const count = async (withToken: boolean) => {
    const onPair = (done: number) => {
      if (done % tellEvery === 0)
        console.error(`${withToken ? 'with' : 'without'} tokens: ${done} of ${pairs}`);
    };
    const { targets, failed, ...counts } = await countStaleReads(site, { pairs, withToken, onPair });
    const reads = Object.fromEntries(Object.entries(targets).map(([at, reads]) => [names.get(at), reads]));
    return { ...counts, failed: failed.length, firstFailed: failed[0], reads };
  };
  const withoutTokens = await count(false);
  const withTokens = await count(true);
  console.log(JSON.stringify({ withoutTokens, withTokens }, null, 2));
  const proven = withoutTokens.stale > 0 && withoutTokens.failed === 0;
  const clean = withTokens.stale === 0 && withTokens.laterStale === 0 && withTokens.failed === 0;
  process.exitCode = proven && clean ? 0 : 1;
} finally {
  await site.close();
}
