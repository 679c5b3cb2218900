/** One connection to the application's database, on which all statements of a drainer run: the lock belongs to it. */
export interface OutboxSession {
  /** Whether this session is the one that works; kept until it ends. */
  tryLock(): Promise<boolean>;
  /** What an earlier drainer, or this one, has fixed and not settled, oldest first. */
  openRequests(): Promise<FixedRequest[]>;
  /** Staged rows that are committed, by rising id: those of the gaps and those behind `after`, seen at one moment. */
  readStaged(where: StagedRead): Promise<StagedSize[]>;
  /**
   * Takes rows out of the staging table and keeps them as one request, in one transaction. A row that is not there any
   * more is left out; undefined where none is. `posted` tells that it is posted next.
   */
  fix(ids: readonly number[], options: { posted: boolean }): Promise<FixedRequest | undefined>;
  /** Moves rows that are too large to be read aside. */
  refuse(ids: readonly number[], reason: Reason): Promise<void>;
  /** Notes that from now on Millrace may have the request. Like what follows, it finds no request that has another key by now. */
  markPosted(request: FixedRequest): Promise<void>;
  /** Takes that back: it certainly does not. */
  unmarkPosted(request: FixedRequest): Promise<void>;
  /** Forgets a request, with its refused messages kept aside, and marks the next one as posted, in one transaction. */
  settle(
    request: FixedRequest,
    outcome: { rejected: readonly RejectedMessage[]; next: FixedRequest | undefined },
  ): Promise<void>;
  /**
   * Keeps of a request what is held back, under a new key and not posted, and the refused messages aside, in one
   * transaction. Undefined where another drainer was there first.
   */
  keep(
    request: FixedRequest,
    parts: { rejected: readonly RejectedMessage[]; held: FixedRequest['messages'] },
  ): Promise<FixedRequest | undefined>;
  /** A token of this moment for `haveEnded`. */
  moment(): Promise<string>;
  /** Whether all transactions that may hold a row of these gaps have ended; `since` was taken after the gaps were noticed. */
  haveEnded(since: string, gaps: readonly IdRange[]): Promise<boolean>;
  /** So that neither the server nor the way to it takes the session for dead. */
  keepAlive(): Promise<void>;
  end(): Promise<void>;
}

export interface StagedRead {
  after: number;
  gaps: readonly IdRange[];
  limit: number;
}

/** Both included. */
export type IdRange = readonly [first: number, last: number];

export interface StagedSize {
  id: number;
  bytes: number;
}

export interface StagedRow {
  id: number;
  /** JSON. */
  message: string;
  /** Since it was staged, by the database's clock. */
  ageMs: number;
}

/** A request whose messages and bytes do not change any more. */
export interface FixedRequest {
  id: number;
  idempotencyKey: string;
  /** In the order of the body. */
  messages: readonly { stagedId: number; text: string }[];
  /** Since it may be with Millrace; undefined where it certainly is not. */
  postedMsAgo: number | undefined;
  /** Of its oldest message when it was fixed; 0 where that is not known. */
  ageMs: number;
}

export interface Reason {
  code: string;
  detail: string;
}

export interface RejectedMessage extends Reason {
  stagedId: number;
  text: string;
}

/** What the operator has to mend before a drainer can work: said as it is, with status 1. */
export class OutboxError extends Error {
  override readonly name = 'OutboxError';
}

/** The database is away, or has ended the session: another one is opened. */
export class SessionLostError extends Error {
  override readonly name = 'SessionLostError';
}
