import { type Fault, noneFree, noWriter, planOutdated, settingRefused } from './fault.ts';

/** What a user or an operator is told of a fault: what is the matter, in words that betray nothing. */
export function describeFault({ kind, code, ambiguous }: Fault): string {
  if (ambiguous) return 'the database was lost while it committed';
  return byCode[code] ?? byKind[kind];
}

export const readOnly = 'the database is read-only: it is a standby, or default_transaction_read_only is on';
const noConnection =
  'the database has no connection left for this server: max_connections, or the limit of its role or database, is reached';
const pooler =
  'a pooler stands before the database that forgets prepared statements: turn the option namedStatements off, or use PgBouncer 1.21 with max_prepared_statements';
const diskFull = 'the disk of the database is full';

const byCode: Record<string, string> = {
  '25006': readOnly,
  '53300': noConnection,
  '53100': diskFull,
  '53200': 'the database is out of memory',
  '58030': 'the database server cannot read or write its disk',
  '26000': pooler,
  '42P05': pooler,
  '42501': 'the role of this server lacks a privilege in the database',
  '57P03': 'the database is starting or stopping',
  [noWriter]: 'none of the hosts of the database takes writes: the next primary may be on its way',
  [noneFree]:
    'no connection to the database became free in time: what holds them waits there, for a lock, a disk or a synchronous standby, or it does not answer',
  [settingRefused]:
    "a pooler stands before the database that takes no settings along: take them out of the database's URL, or name them in the pooler's ignore_startup_parameters",
  [planOutdated]: 'the schema was changed while this server ran',
  EMFILE: 'this server has no file descriptor left for a connection to the database',
  ENFILE: 'this machine has no file descriptor left for a connection to the database',
};

const byKind: Record<Fault['kind'], string> = {
  unavailable: 'the database is not reachable',
  refused: 'the database refuses this server: its user, password, database or certificate',
  timeout: 'the database did not answer in time',
  full: 'the database is out of space or memory',
  conflict: 'another request changed the same thing at the same moment',
  invalid: 'the database refused a statement; the server log has more',
  unknown: 'something went wrong here; the server log has more',
};
