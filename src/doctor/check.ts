import type { Clock } from '../lib/clock.ts';
import type { Database } from '../store/database.ts';

/**
 * `error`: messages may be lost, or nothing moves. `warning`: it will come to that, or costs speed.
 * `info`: something to know. `ok`: looked at and well.
 */
export type Severity = 'error' | 'warning' | 'info' | 'ok';

export interface Finding {
  severity: Severity;
  /** One line: what is so. */
  summary: string;
  /** A command, or the one thing to do; always there for errors and warnings. */
  mend?: string;
}

/** What checks look at. */
export interface DoctorContext {
  database: Database;
  /** Of the same, for connections of one's own. */
  databaseUrl: string;
  clock: Clock;
  /** As the server is configured. */
  dataDir: string;
  leaseMs: number;
  retentionDays: number;
  /** Where statistics are kept, where that is a database of their own. */
  eventsDatabase?: Database | undefined;
  /** The standbys that answer reads. */
  replicaUrls: readonly string[];
  /** The server that makes the writes of this one; absent where it makes them itself. */
  writeForwardUrl?: string | undefined;
  namedStatements: boolean;
  /** Database connections that the pools of one server may open together. */
  connectionsNeeded: number;
  /** A transaction that is open, or prepared, for longer is told of. */
  oldTransactionMs: number;
  signal: AbortSignal;
}

/** One thing that can be wrong with an installation. One file each, listed in `checks.ts`. */
export interface Check {
  /** In kebab-case, for scripts. */
  readonly name: string;
  /** What it finds while nothing can be written comes of that, which `writable` tells. */
  readonly onlyWhileWritable?: true;
  /** At least one finding. What it throws becomes a finding that says that it could not look. */
  run(context: DoctorContext): Promise<Finding[]>;
}

/** For a check that found nothing to say: what it looked at and found well. */
export function orOk(findings: Finding[], summary: string): Finding[] {
  return findings.length > 0 ? findings : [{ severity: 'ok', summary }];
}
