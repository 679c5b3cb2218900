/** What a client may take of the server by being slow, silent or many. */
export interface ClientLimits {
  /** To send the request line and all headers. */
  headersTimeoutMs: number;
  /** How often the server looks for clients that are too slow with them. */
  checkEveryMs: number;
  /** The next bytes of an upload must come by then; the whole may take hours. Waiting for the database does not count. */
  bodyIdleMs: number;
  /** A stream's reader must take each part, of some 500 kB, by then. */
  answerPartMs: number;
  /** A connection on which nothing moves, in either direction, is given up. */
  socketIdleMs: number;
  /** Between requests. */
  keepAliveMs: number;
  /** A client that is gone without a word is asked for by TCP after this silence. */
  probeAfterMs: number;
  /** Open at once; each costs a file descriptor and some kilobytes. What is beyond is closed unread. */
  connectionsMax: number;
}

export const clientLimits: ClientLimits = {
  headersTimeoutMs: 15_000,
  // Node's own default would let a slow client stay for 30 s more.
  checkEveryMs: 5_000,
  bodyIdleMs: 60_000,
  answerPartMs: 60_000,
  socketIdleMs: 300_000,
  // Longer than the idle time of common load balancers (60 s), so that they close first.
  keepAliveMs: 72_000,
  probeAfterMs: 60_000,
  connectionsMax: 10_000,
};
