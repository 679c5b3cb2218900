import type { ChaosReport } from './judge.ts';

/** The report as text, a line for each fault. */
export function printReport(report: ChaosReport): string {
  const { seed, kills, suspensions, cuts, seconds, routes, unexplained, faults, broken } = report;
  const lines = [
    `seed ${seed}: ${kills} kills, ${suspensions} suspensions, ${cuts} cuts in ${seconds} s`,
    '',
    'fault                                                open  again  late   marked  uncertain',
    ...faults.map(
      ({ number, kind, of, open, sentAgain, late, marked, uncertain }) =>
        `${String(number).padStart(3)}  ${`${kind}: ${of}`.padEnd(44)}${column(open, 8)}${column(sentAgain, 7)}${column(late, 6)}${column(marked, 9)}${column(uncertain, 11)}`,
    ),
    '',
    'open: handed over by `resend` and not recorded at the fault; again: of these, sent again because of it;',
    'late: begun before a suspension, arrived after it; marked: of `hold`, marked or handed over and not recorded;',
    'uncertain: of these, held as uncertain.',
    '',
    ...Object.entries(routes).map(
      ([route, books]) =>
        `${route}: accepted ${books.accepted}, delivered ${books.delivered}, lost ${books.lost}, ` +
        `duplicates ${books.duplicates}, uncertain ${books.uncertain} ` +
        `(${books.uncertainDelivered} of them had arrived)`,
    ),
    `without a known reason: ${unexplained.duplicates} duplicates, ${unexplained.uncertain} uncertain`,
    ...unexplained.examples.map((example) => `  ${example}`),
    broken.length === 0 ? 'every promise held' : `BROKEN:\n  ${broken.join('\n  ')}`,
  ];
  return `${lines.join('\n')}\n`;
}

function column(count: number, width: number): string {
  return (count === 0 ? '.' : String(count)).padStart(width);
}
