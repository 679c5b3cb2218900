import type { Cluster } from './cluster/cluster.ts';
import type { Acknowledged } from './cluster/node-watch.ts';
import { type DuplicateBooks, explainDuplicates } from './explain-duplicates.ts';
import type { FloodBooks } from './load/flood.ts';
import { recordedOutcomes } from './load/recorded-outcomes.ts';
import type { ScenarioLoad } from './load/scenario-load.ts';
import { storedMessages } from './load/stored-messages.ts';
import { secondsWithout } from './load/tally.ts';
import { type NodeName, nodeNames } from './network.ts';
import type { Action, Sample } from './recorder.ts';
import type { Scenario, Way } from './scenarios/scenario.ts';

export interface ScenarioReport {
  name: string;
  title: string;
  mode: Scenario['mode'];
  /** How Millrace reached the database. */
  way: Way;
  seconds: number;
  /** Of which nothing succeeded for longer than a second. Writes and reads go through Millrace. */
  withoutWrites: number;
  withoutReads: number;
  withoutReplicaReads: number;
  /** No node acknowledged a write that was sent to it directly. */
  withoutPrimary: number;
  accepted: { singles: number; flood: number };
  /** Runs of `send` that the flood took. */
  sendRuns: number;
  /** Accepted, and not delivered when nothing waits for delivery any more. */
  lost: number;
  /** Accepted and delivered, and the database does not know it any more. */
  forgotten: number;
  /** Messages that the sink got again. */
  duplicates: number;
  /** Each of them. */
  explained: DuplicateBooks;
  /** Uncertain: requests that ended without a word; resolved: of these, stored once and accepted by the same key. */
  uncertain: { met: number; resolved: number };
  /** What clients saw other than success. */
  errors: Record<'writes' | 'reads' | 'replicaReads', Record<string, number>>;
  /** Writes that a node acknowledged while another one had already acknowledged on a newer, or the same, timeline. */
  acceptedByTwo: number;
  /** What the doctor says of replication before the first act. */
  doctor: string[];
  actions: Action[];
  samples: Sample[];
  /** Promises that did not hold. */
  broken: string[];
}

export interface Evidence {
  scenario: Scenario;
  cluster: Cluster;
  load: ScenarioLoad;
  flood: FloodBooks;
  /** Ids of messages that were stored at some moment, by their references. */
  remembered: Map<string, string>;
  /** Monotonic milliseconds. */
  beganAt: number;
  endedAt: number;
  actions: Action[];
  samples: Sample[];
  doctor: string[];
  broken: string[];
}

/** The books: the writer's own list of what was accepted against the sink's arrivals and SQL on what is stored. */
export async function judge(evidence: Evidence): Promise<ScenarioReport> {
  const { scenario, cluster, load, flood, beganAt, endedAt, actions, samples, doctor } = evidence;
  const { writer, reader, replicaReader } = load;
  const { twice, other, ...books } = await reconcile(evidence);
  const acknowledged = nodeNames
    .flatMap((name) => cluster.watches[name].acknowledged)
    .filter(({ at }) => at >= beganAt && at <= endedAt);
  const without = (successes: readonly number[]) => secondsWithout(successes, beganAt, endedAt);
  const report: ScenarioReport = {
    ...{ name: scenario.name, title: scenario.title, mode: scenario.mode },
    way: scenario.way ?? 'haproxy',
    seconds: (endedAt - beganAt) / 1_000,
    withoutWrites: without(writer.tally.successes),
    withoutReads: without(reader.tally.successes),
    withoutReplicaReads: without(replicaReader.tally.successes),
    withoutPrimary: without(acknowledged.map(({ at }) => at)),
    accepted: { singles: writer.books.accepted.size, flood: flood.accepted ? flood.refs.length : 0 },
    sendRuns: flood.runs,
    ...books,
    duplicates: load.repeats().length,
    explained: await explain(evidence, acknowledged),
    errors: {
      writes: Object.fromEntries(writer.tally.errors),
      reads: Object.fromEntries(reader.tally.errors),
      replicaReads: Object.fromEntries(replicaReader.tally.errors),
    },
    acceptedByTwo: acceptedByTwo(acknowledged),
    ...{ doctor, actions, samples },
    broken: [...evidence.broken],
  };
  report.broken.push(...brokenPromises(report, evidence, { twice, other }));
  return report;
}

/**
 * A promotion begins a newer timeline. Whoever acknowledges a write that was sent after another node had acknowledged
 * one on a newer timeline, or on the same, accepts beside it: a split brain.
 */
export function acceptedByTwo(acknowledged: readonly Acknowledged[]): number {
  const inOrder = [...acknowledged].sort((a, b) => a.at - b.at);
  return inOrder.filter((late) =>
    inOrder.some(
      (other) => other.node !== late.node && other.at < late.sentAt && other.timeline >= late.timeline,
    ),
  ).length;
}

async function explain(
  { cluster, load, beganAt, endedAt }: Evidence,
  acknowledged: Acknowledged[],
): Promise<DuplicateBooks> {
  const repeats = load.repeats().map(({ id, beforeAt, at }) => ({
    id,
    beforeAt: beforeAt - performance.timeOrigin,
    at: at - performance.timeOrigin,
  }));
  const ids = new Set(repeats.map(({ id }) => id));
  const recorded = await recordedOutcomes(cluster.watches[primaryOf(cluster)], ids);
  return explainDuplicates({ repeats, recorded, acknowledged, beganAt, endedAt });
}

function primaryOf(cluster: Cluster): NodeName {
  const primary = cluster.primary();
  if (!primary) throw new Error('there is no primary to ask for the books');
  return primary;
}

async function reconcile({ cluster, load, flood, remembered }: Evidence) {
  const { accepted, uncertain } = load.writer.books;
  const options = { sinceMs: load.beganUnixMs, prefix: load.prefix };
  const stored = await storedMessages(cluster.watches[primaryOf(cluster)], options);
  const ids = new Map(accepted);
  for (const ref of flood.accepted ? flood.refs : []) ids.set(ref, remembered.get(ref) ?? '');
  let [lost, forgotten, twice, other] = [0, 0, 0, 0];
  for (const [ref, id] of ids) {
    const kept = stored.get(ref) ?? [];
    if (kept.length > 1) twice++;
    if (kept.length > 0 && id !== '' && !kept.includes(id)) other++;
    const arrived = [id, ...kept].some((each) => load.sink.has(each));
    if (!arrived) lost++;
    else if (kept.length === 0) forgotten++;
  }
  const resolved = [...uncertain].filter((ref) => accepted.has(ref) && stored.get(ref)?.length === 1).length;
  return { lost, forgotten, uncertain: { met: uncertain.size, resolved }, twice, other };
}

/** The scenario of asynchronous mode is there to show what is lost, and that the doctor had said so. */
export function unshownLoss({
  lost,
  forgotten,
  doctor,
}: Pick<ScenarioReport, 'lost' | 'forgotten' | 'doctor'>): string[] {
  const broken: string[] = [];
  if (lost + forgotten === 0) broken.push('nothing was lost: what asynchronous mode costs was not seen');
  if (!doctor.some((finding) => finding.includes('no standby is waited for')))
    broken.push('the doctor had not said that no standby is waited for');
  return broken;
}

function brokenPromises(
  report: ScenarioReport,
  { load, flood }: Evidence,
  { twice, other }: { twice: number; other: number },
): string[] {
  const broken: string[] = [];
  const { unanswered } = load.writer.books;
  const wrong = [...load.writer.books.wrong, ...load.reader.wrong];
  const synchronous = report.mode === 'synchronous';
  if (report.accepted.singles === 0) broken.push('no single message was accepted');
  if (unanswered.size > 0) broken.push(`${unanswered.size} messages were never accepted`);
  if (wrong.length > 0) broken.push(`${wrong.length} wrong answers, as: ${wrong[0]}`);
  if (!synchronous) return [...broken, ...unshownLoss(report)];
  // With the key's reservation lost as well, the same request is another one.
  if (twice > 0) broken.push(`${twice} messages are stored twice`);
  if (!flood.accepted) broken.push(`the flood was not accepted: ${flood.said}`);
  if (report.lost > 0) broken.push(`${report.lost} accepted messages are lost`);
  if (report.forgotten > 0)
    broken.push(`the database does not know ${report.forgotten} accepted messages any more`);
  if (other > 0) broken.push(`${other} messages are stored under another id than the answer gave`);
  if (report.acceptedByTwo > 0)
    broken.push(`two nodes accepted writes: ${report.acceptedByTwo} beside a newer primary`);
  if (report.uncertain.resolved < report.uncertain.met) broken.push('an uncertain request was not resolved');
  if (load.reader.unknown.size > 0)
    broken.push(`${load.reader.unknown.size} accepted messages were answered with 404`);
  return broken;
}
