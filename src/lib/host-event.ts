/** What the hosts of a PostgreSQL URL are found to do, told once for all who use them. */
export type HostEvent =
  | { kind: 'found'; host: string; timeline: number }
  /** The host that writes went to does not take them any more, and none is known that does. */
  | { kind: 'left'; host: string }
  /** It takes writes although another was promoted after it: nothing goes there. */
  | { kind: 'outdated'; host: string; timeline: number };
