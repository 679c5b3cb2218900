/** What the store says of an error of the database: see `store/fault.ts`. */
export interface ToldFault {
  kind: string;
  code: string;
}

/** By its shape: who observes knows nothing of the store. */
export function databaseFault(error: unknown): ToldFault | undefined {
  return error instanceof Error && error.name === 'DatabaseError' && 'fault' in error
    ? (error.fault as ToldFault)
    : undefined;
}
