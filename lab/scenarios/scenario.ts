import type { Cluster } from '../cluster/cluster.ts';
import type { FloodBooks } from '../load/flood.ts';
import type { NodeName } from '../network.ts';

/** Where a scenario plays: the roles are those at its beginning. */
export interface Stage {
  cluster: Cluster;
  primary: NodeName;
  /** The replica that COMMIT waits for, and the other one. */
  standby: NodeName;
  other: NodeName;
  signal: AbortSignal;
  /** Notes what is done to the cluster, with its moment. */
  say(what: string): void;
  wait(ms: number): Promise<void>;
  /** Resolves when it holds; fails, and says what was waited for, when it does not in time. */
  until(what: string, holds: () => boolean): Promise<void>;
  /** Resolves when a node other than this one acknowledges writes. */
  acceptedBeside(node: NodeName): Promise<void>;
  /** Begins the flood; without it, it begins before the scenario's first act. */
  flood(): Promise<FloodBooks>;
  /** Remembers which messages are stored now, in case the database forgets them. */
  remember(): Promise<void>;
}

/** How Millrace reaches the database: by HAProxy, or with all nodes in its URL, of which it finds the primary itself. */
export type Way = 'haproxy' | 'several-hosts';

export interface Scenario {
  name: string;
  title: string;
  /** By HAProxy where it is absent. */
  way?: Way;
  /** What COMMIT waits for: a standby, or the primary's own disk. */
  mode: 'synchronous' | 'asynchronous';
  /** Begins its flood itself. */
  ownFlood?: boolean;
  run(stage: Stage): Promise<void>;
}
