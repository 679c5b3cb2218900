import pg from 'pg';
import { type Fault, faultOf } from './fault.ts';

/** An error of the database, classified: see `fault.ts`. */
export class DatabaseError extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, cause: unknown) {
    super(fault.message, { cause });
    this.name = 'DatabaseError';
    this.fault = fault;
  }
}

/** Of what was thrown, classified before or not. */
export function faultThrown(error: unknown): Fault {
  return error instanceof DatabaseError ? error.fault : faultOf(error);
}

/** Whether the database, the way to it or the driver threw it, and not the work that used them. */
export function isDatabaseFault(error: unknown): boolean {
  return error instanceof pg.DatabaseError || faultOf(error).kind !== 'unknown';
}

/** The server says that it rolled back, whatever becomes of the connection. FATAL may come behind a commit. */
export function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity === 'ERROR';
}
