import { availableParallelism } from 'node:os';
import { formatBytes, formatCount, formatDuration, formatFields } from '../format.ts';
import type { Terminal } from '../terminal.ts';
import type { Books, FloodBooks } from './check-books.ts';

export interface DemoReport {
  ok: boolean;
  messages: number;
  /** One message per request to the provider, instead of 500. */
  single: boolean;
  accepted: number;
  delivered: number;
  lost: number;
  duplicated: number;
  flood: FloodBooks & {
    acceptSeconds: number;
    acceptedPerSecond: number;
    deliverSeconds: number;
    deliveredPerSecond: number;
    resumed: number;
  };
  others: Books & { refused: number; firstRefusal: string | null; calm: Latency; flood: Latency };
  /** Resident memory of all Millrace processes at its highest, PostgreSQL apart; null where it cannot be read. */
  peakMemoryBytes: number | null;
  seconds: number;
  cores: number;
}

export interface Latency {
  count: number;
  p50Ms: number | null;
  p99Ms: number | null;
  maxMs: number | null;
}

export function describeLatency(samplesMs: readonly number[]): Latency {
  const sorted = Float64Array.from(samplesMs).sort();
  const at = (share: number) =>
    sorted.length === 0 ? null : round(sorted[Math.ceil(share * sorted.length) - 1]!);
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/** Nothing lost, nothing twice, and every account of it agrees. */
export function isBalanced({
  flood,
  others,
  messages,
}: Pick<DemoReport, 'flood' | 'others' | 'messages'>): boolean {
  return flood.accepted === messages && flood.agree && others.agree;
}

export function describeReport(report: DemoReport, terminal: Terminal): string {
  const { flood, others } = report;
  const verdict = report.ok
    ? terminal.style('green', 'The books balance: nothing lost, nothing duplicated.')
    : terminal.style('red', 'The books do not balance.');
  const rate = (perSecond: number) => `${formatCount(perSecond)}/s`;
  return [
    '',
    terminal.style(
      'bold',
      `${formatCount(report.messages)} messages in one upload, ${report.single ? 'one message' : '500 messages'} per request to the provider`,
    ),
    formatFields([
      [
        'accepted',
        `${formatCount(flood.accepted)} in ${seconds(flood.acceptSeconds)}, ${rate(flood.acceptedPerSecond)}`,
      ],
      [
        'delivered',
        `${formatCount(flood.received)} in ${seconds(flood.deliverSeconds)}, ${rate(flood.deliveredPerSecond)}`,
      ],
      ['exported', `${formatCount(flood.exported)} in ${seconds(flood.exportSeconds)}`],
      ['lost', flood.lost],
      ['duplicated', flood.duplicated],
    ]),
    '',
    terminal.style('bold', 'Beside it, 50 accounts with 300 single messages a second in all'),
    formatFields([
      ['accepted', others.accepted],
      ['delivered', others.received],
      ['lost', others.lost],
      ['duplicated', others.duplicated],
      ['refused', others.firstRefusal ? `${others.refused}, first: ${others.firstRefusal}` : others.refused],
      ['p99 without the flood', latency(others.calm)],
      ['p99 with the flood', latency(others.flood)],
    ]),
    '',
    formatFields([
      [
        'memory',
        report.peakMemoryBytes === null
          ? 'not measured on this system'
          : `${formatBytes(report.peakMemoryBytes)} at most, all Millrace processes, PostgreSQL apart`,
      ],
      ['time', `${seconds(report.seconds)} in all, on ${report.cores} cores`],
    ]),
    '',
    verdict,
  ].join('\n');
}

function latency({ p99Ms, p50Ms, count }: Latency): string {
  if (p99Ms === null || p50Ms === null) return 'no messages';
  return `${formatDuration(p99Ms)} (median ${formatDuration(p50Ms)}, ${formatCount(count)} messages)`;
}

function seconds(count: number): string {
  return formatDuration(count * 1_000);
}

export function coresHere(): number {
  return availableParallelism();
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
