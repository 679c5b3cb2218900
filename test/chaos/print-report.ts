import type { Explanation, Reason } from './explain.ts';
import type { ChaosReport } from './judge.ts';

/** The report as text, a line for each fault. */
export function printReport(report: ChaosReport): string {
  const { seed, kills, suspensions, cuts, seconds, routes, unexplained, explained, faults, broken } = report;
  const lines = [
    `seed ${seed}: ${kills} kills, ${suspensions} suspensions, ${cuts} cuts in ${seconds} s`,
    '',
    'fault                                                open  again  late   marked  uncertain',
    ...faults.map(
      ({ number, kind, of, open, sentAgain, late, marked, uncertain }) =>
        `${String(number).padStart(3)}  ${`${kind}: ${of}`.padEnd(44)}${column(open, 8)}${column(sentAgain, 7)}${column(late, 6)}${column(marked, 9)}${column(uncertain, 11)}`,
    ),
    '',
    'open: of `resend`, handed over and not recorded at the fault, or left without an answer by it; again: of these, sent',
    'again; late: begun before a suspension, arrived after it; marked: of `hold`, marked as in flight or open as above;',
    'uncertain: of these, held as uncertain.',
    '',
    ...Object.entries(routes).map(
      ([route, books]) =>
        `${route}: accepted ${books.accepted}, delivered ${books.delivered}, lost ${books.lost}, ` +
        `duplicates ${books.duplicates}, uncertain ${books.uncertain} ` +
        `(${books.uncertainDelivered} of them had arrived)`,
    ),
    `reasons of duplicates: ${reasonsOf(explained.duplicates)}; of uncertain: ${reasonsOf(explained.uncertain)}`,
    `without a known reason: ${unexplained.duplicates} duplicates, ${unexplained.uncertain} uncertain, ` +
      `${unexplained.requests} requests`,
    ...unexplained.examples.map((example) => `  ${example}`),
    broken.length === 0 ? 'every promise held' : `BROKEN:\n  ${broken.join('\n  ')}`,
  ];
  return `${lines.join('\n')}\n`;
}

function reasonsOf(explanations: readonly Explanation[]): string {
  const counts = new Map<Reason, number>();
  for (const { reason } of explanations) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(', ') || 'none';
}

function column(count: number, width: number): string {
  return (count === 0 ? '.' : String(count)).padStart(width);
}
