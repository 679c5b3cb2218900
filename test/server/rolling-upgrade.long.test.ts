import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { migrate } from '../../src/store/migrate.ts';
import { until } from '../delivery/mill.ts';
import { keepPosting, type Posting } from '../support/keep-posting.ts';
import { unlessMissing } from '../support/needs.ts';
import { buildCommit, newestOtherSchema, nextRelease, type Release } from '../support/releases.ts';
import { builtMain, killProcesses, type MillraceProcess } from '../support/start-process.ts';
import { createSite, type Site } from './several.ts';

const waitMs = 60_000;
const testMs = 480_000;
/** Of a log line: error and above. */
const errorLevel = 50;

let site: Site | undefined;
let posting: Posting | undefined;
const releases: Release[] = [];

afterEach(async () => {
  await posting?.stop();
  killProcesses();
  await site?.close();
  for (const release of releases.splice(0)) await release.remove();
  [site, posting] = [undefined, undefined];
});

const earlier = await newestOtherSchema();
const missing = earlier === undefined ? 'the history of the repository: git fetch --unshallow' : '';

unlessMissing(missing)(
  'servers of the newest earlier commit with another schema accept and deliver on while this one’s migrations and servers come',
  async () => {
    const old = await buildCommit(earlier!);
    releases.push(old);
    site = await createSite({ batch: { max: 100 } }, { empty: true });
    const errors: string[] = [];
    const onLine = (line: string) => {
      if (line.startsWith('{') && JSON.parse(line).level >= errorLevel) errors.push(line);
    };
    const before = [
      await site.startWith({ program: old.program, onLine }),
      await site.startWith({ program: old.program, onLine }),
    ];
    posting = keepPosting({ key: site.key, targets: before });
    await posting.more(500);
    const applied = await migrate({ connectionString: site.databaseUrl });
    expect(applied[0]).toBe(old.schema + 1);
    await posting.more(500);
    // Old workers deliver what came in behind the migration.
    const late = posting.accepted;
    await until(async () => (await site!.ledger()).distinct >= late, waitMs);

    const fresh = await site.start();
    await posting.postTo([...before, fresh]);
    await posting.more(500);
    await posting.postTo([fresh]);
    for (const server of before) expect(await server.stop()).toBe(0);
    await posting.more(300);
    await posting.stop();

    expect(posting.failures).toEqual([]);
    expect(errors).toEqual([]);
    await until(async () => (await site!.ledger()).distinct >= posting!.accepted, waitMs);
    expect(await site.ledger()).toMatchObject({ distinct: posting.accepted, duplicates: 0 });
    await fresh.stop();
  },
  testMs,
);

test(
  'servers stay ready and may be started again beside an expanded schema, and say which program they want beside a contracted one',
  async () => {
    site = await createSite({ batch: { max: 100 } });
    const expanded = await nextRelease(
      `-- expand: columns with defaults, and a table of its own
      ALTER TABLE chunk ADD COLUMN later integer;
      ALTER TABLE batch ADD COLUMN later text NOT NULL DEFAULT 'x';
      ALTER TABLE outcome ADD COLUMN later integer;
      ALTER TABLE pending ADD COLUMN later integer;
      CREATE TABLE later (id integer PRIMARY KEY);`,
    );
    releases.push(expanded);
    const contract = `-- contract from ${String(expanded.schema).padStart(4, '0')}: older ones know no column
    ALTER TABLE chunk ALTER COLUMN later SET DEFAULT 0;`;
    const contracted = await nextRelease(contract, expanded);
    releases.push(contracted);

    const first = await site.start();
    posting = keepPosting({ key: site.key, targets: [first] });
    await posting.more(200);
    const second = await site.startWith(expanded);
    await posting.postTo([first, second]);
    await posting.more(300);
    for (const server of [first, second]) await readyAnew(server, 200);
    await posting.postTo([second]);
    expect(await first.stop()).toBe(0);
    const again = await site.start();
    await readyAnew(again, 200);
    await posting.postTo([again, second]);
    await posting.more(200);

    const third = await site.startWith(contracted);
    expect(await readyAnew(again, 503)).toContain(`works with programs from version ${expanded.schema} on`);
    for (const server of [second, third]) await readyAnew(server, 200);
    await posting.postTo([second, third]);
    expect(await again.stop()).toBe(0);
    expect(await refusal(site)).toMatch(/works with programs from version \d+ on.*Run that version/s);
    await posting.stop();
    expect(posting.failures).toEqual([]);
    await until(async () => (await site!.ledger()).distinct >= posting!.accepted, waitMs);
    expect(await site.ledger()).toMatchObject({ distinct: posting.accepted, duplicates: 0 });
    await Promise.all([second.stop(), third.stop()]);
  },
  testMs,
);

/** The status of a probe, which another within the last second may have asked for; answers what it says. */
async function readyAnew(server: MillraceProcess, status: number): Promise<string> {
  let said = '';
  await until(async () => {
    const answer = await fetch(`${server.url}/readyz`);
    said = await answer.text();
    return answer.status === status;
  }, waitMs);
  return said;
}

/** What this build says on stderr as it refuses to start on the site's database. */
async function refusal(at: Site): Promise<string> {
  const args = ['serve', '--port', '0', '--database', at.databaseUrl, '--data', '/tmp'];
  const child = spawn(process.execPath, [builtMain(), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH },
  });
  const [said, [status]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(status).toBe(1);
  return said;
}
