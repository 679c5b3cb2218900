export interface Erasure {
  messages: number;
  /** Stored answers to idempotent writes that named the recipient. */
  answers: number;
  /** The recipient is on a suppression list, which goes on to hold without the address. Absent from older servers. */
  suppressed?: boolean;
  complete: boolean;
}
