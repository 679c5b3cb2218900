import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Acknowledged } from '../../lab/cluster/node-watch.ts';
import { type DuplicateBooks, describeDuplicates, explainDuplicates } from '../../lab/explain-duplicates.ts';
import { acceptedByTwo, unshownLoss } from '../../lab/judge.ts';
import { drawPicture } from '../../lab/live-picture.ts';
import type { RecordedOutcome } from '../../lab/load/recorded-outcomes.ts';
import { SteadyReader } from '../../lab/load/steady-reader.ts';
import { SteadyWriter } from '../../lab/load/steady-writer.ts';
import { secondsWithout } from '../../lab/load/tally.ts';
import type { Sample } from '../../lab/recorder.ts';
import { everyPromiseHeld, type LabReport, renderReport } from '../../lab/report.ts';
import { scenarios } from '../../lab/scenarios/catalogue.ts';
import { renderTimeline } from '../../lab/timeline-svg.ts';
import { rewindsIn } from '../../lab/verify.ts';
import { lookAtWatchdog } from '../../lab/watchdog.ts';
import { runCli } from '../support/run-cli.ts';
import { answerJson, startScriptedServer } from '../support/scripted-server.ts';

function write(node: Acknowledged['node'], timeline: number, [sentAt, at]: [number, number]): Acknowledged {
  return { node, timeline, sentAt, at };
}

test('a node that accepts after a newer primary, or on the same timeline, is a second one', () => {
  const before = write('n1', 1, [0, 1]);
  const promoted = write('n2', 2, [10, 11]);
  expect(acceptedByTwo([before, promoted, write('n2', 2, [20, 21])])).toBe(0);
  expect(acceptedByTwo([before, promoted, write('n1', 1, [12, 13])])).toBe(1);
  expect(acceptedByTwo([before, promoted, write('n3', 2, [12, 13])])).toBe(1);
});

test('a write that was sent before the newer primary had accepted anything is none', () => {
  expect(acceptedByTwo([write('n2', 2, [10, 11]), write('n1', 1, [9, 12])])).toBe(0);
});

test('a primary that comes back on a newer timeline is none', () => {
  const back = [write('n1', 1, [0, 1]), write('n2', 2, [10, 11]), write('n1', 3, [20, 21])];
  expect(acceptedByTwo(back)).toBe(0);
});

test('the asynchronous scenario fails where nothing was lost, and where the doctor had not said so', () => {
  const doctor = [
    "info: accepted means on this server's disk: no standby is waited for (2 standbys connected)",
  ];
  expect(unshownLoss({ lost: 1, forgotten: 0, doctor })).toEqual([]);
  expect(unshownLoss({ lost: 0, forgotten: 1, doctor })).toEqual([]);
  expect(unshownLoss({ lost: 0, forgotten: 0, doctor })).toEqual([
    expect.stringContaining('nothing was lost'),
  ]);
  expect(
    unshownLoss({ lost: 1, forgotten: 0, doctor: ['ok: accepted means replicated: n2 in sync'] }),
  ).toEqual([expect.stringContaining('the doctor had not said')]);
});

function labReport(more: Partial<LabReport>): LabReport {
  return {
    ...{ at: '2026-01-01T00:00:00Z', watchdog: 'none', seconds: 1, load: [0, 0] },
    machine: { cores: 2, processor: 'p', node: 'v20', postgres: 15 },
    ...{ scenarios: [], failures: [], notRun: [] },
    verified: { withoutChecksums: [], rewinds: { n1: 0, n2: 0, n3: 0 } },
    ...more,
  };
}

test('a scenario that was not run is told, and is no success', () => {
  expect(everyPromiseHeld(labReport({}))).toBe(true);
  const cut = labReport({ notRun: ['switchover'] });
  expect(everyPromiseHeld(cut)).toBe(false);
  expect(renderReport(cut)).toContain('### switchover: not run');
});

test('the report says what was seen of checksums and pg_rewind', () => {
  const log = 'INFO: running pg_rewind from n2\nINFO: pg_rewind exit code=1\nINFO: pg_rewind exit code=0\n';
  expect(rewindsIn(log)).toBe(1);
  const verified = { withoutChecksums: ['n3' as const], rewinds: { n1: 1, n2: 0, n3: 0 } };
  const text = renderReport(labReport({ verified }));
  expect(text).toContain('OFF on n3');
  expect(text).toContain('came back by pg_rewind: n1 1 ×');
});

test('a watchdog is said to be armed only when a process has it open', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-watchdog-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const device = join(directory, 'watchdog');
  const file = await open(device, 'w');
  expect(lookAtWatchdog(device)).toEqual({ armed: true, said: expect.stringContaining(String(process.pid)) });
  await file.close();
  expect(lookAtWatchdog(device)).toMatchObject({ armed: false });
});

test('only pauses longer than a second count, at both ends too', () => {
  expect(secondsWithout([500, 1_000, 4_000, 4_500], 0, 5_000)).toBe(3);
  expect(secondsWithout([], 0, 5_000)).toBe(5);
  expect(secondsWithout([2_000], 0, 2_500)).toBe(2);
});

/** Writes go from n1 to n2 between 5 and 9 s. */
function explain(recorded: RecordedOutcome[], { beforeAt, at } = { beforeAt: 4_900, at: 12_000 }) {
  return explainDuplicates({
    repeats: [{ id: 'm', beforeAt, at }],
    recorded: new Map([['m', recorded]]),
    acknowledged: Array.from({ length: 30 }, (_, n) => n * 500 + 1)
      .filter((moment) => moment <= 5_001 || moment > 9_000)
      .map((moment) => write(moment < 7_000 ? 'n1' : 'n2', moment < 7_000 ? 1 : 2, [moment - 1, moment])),
    ...{ beganAt: 0, endedAt: 15_000 },
  });
}

test('a message that came again is explained by the outage in which nothing was recorded of it', () => {
  const books = explain([{ state: 'sent', at: 12_005 }]);
  expect(books).toMatchObject({
    unrecorded: [{ messages: 1, outage: { before: 'n1', after: 'n2' } }],
    ...{ unanswered: 0, unexplained: [] },
  });
  expect(describeDuplicates(books)).toEqual([
    expect.stringMatching(
      /^1 handed over, with nothing recorded .* writes went from n1 to n2 \(\+5\.0 to \+9\.0 s\)/,
    ),
  ]);
});

test('a message that came again after a recorded attempt without an answer is explained by that', () => {
  const books = explain([
    { state: 'retrying', at: 5_000 },
    { state: 'sent', at: 12_005 },
  ]);
  expect(books).toMatchObject({ unrecorded: [], unanswered: 1, unexplained: [] });
});

test('a message that came again although it was recorded, or without an outage, is told as unexplained', () => {
  const recorded = explain([
    { state: 'sent', at: 4_910 },
    { state: 'sent', at: 12_005 },
  ]);
  expect(describeDuplicates(recorded)).toEqual([
    'UNEXPLAINED: m came at +4.9 and +12.0 s, and was recorded as sent between',
  ]);
  expect(describeDuplicates(explain([], { beforeAt: 1_000, at: 4_000 }))).toEqual([
    'UNEXPLAINED: m came at +1.0 and +4.0 s, and the database took writes all the time',
  ]);
});

/** A server that answers 503, at first without saying when to ask again. */
async function startRefusing(): Promise<{ url: string; asked(): number }> {
  let count = 0;
  const server = await startScriptedServer((_request, response) => {
    const headers: Record<string, string> = count++ === 0 ? {} : { 'retry-after': '1' };
    answerJson(response, 503, { code: 'unavailable', detail: 'the database is away' }, headers);
  });
  onTestFinished(() => server.stop());
  return { url: server.url, asked: () => count };
}

test('a read or a write that is refused without Retry-After is a broken promise, and with it none', async () => {
  const accepted = new Map([['ref', 'id']]);
  const [ofReads, ofWrites] = [await startRefusing(), await startRefusing()];
  const reader = new SteadyReader({ url: ofReads.url, accepted });
  const writer = new SteadyWriter({ url: ofWrites.url, prefix: 'p', lateMs: 0 });
  await expect.poll(() => Math.min(ofReads.asked(), ofWrites.asked())).toBeGreaterThan(2);
  await Promise.all([reader.end(), writer.end()]);
  expect(reader.wrong).toEqual(['reading id: 503 unavailable without Retry-After']);
  expect(writer.books.wrong).toEqual([
    expect.stringMatching(/^p-single-\d+: 503 unavailable without Retry-After$/),
  ]);
  expect(reader.tally.errorCount).toBe(ofReads.asked());
});

test('the command line lists the scenarios that there are', async () => {
  const { out } = await runCli(['lab', '--help']);
  const listed = [...out.split('Scenarios:')[1]!.matchAll(/^ {2}([a-z-]+) {2,}(.*)$/gm)];
  expect(listed.map(([, name, title]) => ({ name, title }))).toEqual(
    scenarios.map(({ name, title }) => ({ name, title })),
  );
});

const sample: Sample = {
  at: 0.5,
  nodes: {
    n1: { role: 'primary', timeline: 7, lagBytes: undefined, accepts: true },
    n2: { role: 'replica', timeline: 7, lagBytes: 2_048, accepts: false },
    n3: { role: 'down', timeline: undefined, lagBytes: undefined, accepts: false },
  },
  ...{ writes: 10, reads: 5, replicaReads: 2, errors: 3, delivered: 1_000 },
};

test('the live picture shows roles, timelines, lag, and what goes on a second', () => {
  const rows = drawPicture(
    { scenario: scenarios[0]!, samples: [sample], actions: ['something fails'] },
    { style: (_style, text) => text },
  ).join('\n');
  expect(rows).toMatch(/n1 +primary +timeline 7 +accepts writes/);
  expect(rows).toMatch(/n2 +replica +timeline 7 +lag 2 KiB/);
  expect(rows).toMatch(/n3 +down +timeline \?/);
  expect(rows).toMatch(/writes +20\/s/);
  expect(rows).toMatch(/errors +6\/s/);
  expect(rows).toContain('something fails');
});

const noDuplicates: DuplicateBooks = { unrecorded: [], unanswered: 0, unexplained: [] };

test('the time line draws every act, and no text of it is markup', () => {
  const picture = renderTimeline({
    ...{ name: 'n', title: 'a < b & c', mode: 'synchronous', way: 'haproxy', seconds: 1 },
    ...{ withoutWrites: 0, withoutReads: 0, withoutReplicaReads: 0, withoutPrimary: 0 },
    ...{
      accepted: { singles: 1, flood: 1 },
      sendRuns: 1,
      lost: 0,
      forgotten: 0,
      duplicates: 0,
      explained: noDuplicates,
    },
    ...{ uncertain: { met: 0, resolved: 0 }, errors: { writes: {}, reads: {}, replicaReads: {} } },
    ...{ acceptedByTwo: 0, doctor: [], samples: [sample], broken: [] },
    actions: [{ at: 0.2, what: 'n1 -> n2' }],
  });
  expect(picture).toContain('a &lt; b &amp; c');
  expect(picture).toContain('+0.2 s  n1 -&gt; n2');
  expect(picture.match(/fill="#1f6f8b"/g)!.length).toBeGreaterThan(1);
});

test('every scenario has its picture in docs/failover.md, and no picture is of another', async () => {
  const page = await readFile(new URL('../../docs/failover.md', import.meta.url), 'utf8');
  const shown = [...page.matchAll(/\]\((failover\/[^)]+\.svg)\)/g)].map(([, file]) => file!);
  expect(shown.sort()).toEqual(scenarios.map(({ name }) => `failover/${name}.svg`).sort());
  for (const file of shown) {
    expect(await readFile(new URL(`../../docs/${file}`, import.meta.url), 'utf8')).toMatch(/^<svg /);
  }
});
