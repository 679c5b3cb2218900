/** Of a session with the application's database. A statement of a drainer moves a thousand rows by their keys. */
export const sessionLimits = {
  connectMs: 10_000,
  statementMs: 30_000,
  /** For an answer, the statement's own limit included. */
  answerMs: 40_000,
  /** Nobody locks staged rows but one who deletes them. */
  lockMs: 10_000,
  /** A drainer that is suspended in a transaction gives its rows back after it. */
  idleInTransactionMs: 30_000,
  /** One that is suspended leaves the work to another after it. */
  idleMs: 60_000,
  /** Of one that waits for Millrace. */
  keepAliveEveryMs: 10_000,
} as const;
