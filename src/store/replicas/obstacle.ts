import type { DatabaseIdentity, ReplicaPosition } from './read-positions.ts';

/** Why a replica is left out, in words that go on behind its name; undefined while it is used. */
export interface Obstacle {
  kind: 'unasked' | 'away' | 'other-cluster' | 'other-database' | 'primary' | 'timeline' | 'behind';
  says: string;
}

/** What a server is instead of a standby of the primary that shows the same database. */
export function misplaced(found: ReplicaPosition, primary: DatabaseIdentity): Obstacle | undefined {
  if (found.cluster !== primary.cluster) {
    return { kind: 'other-cluster', says: 'belongs to another database cluster than the primary' };
  }
  // Its log is the same, so nothing else would tell; and it may hold another installation.
  if (found.database !== primary.database) {
    return { kind: 'other-database', says: 'leads to another database of the cluster than the primary' };
  }
  if (found.standby && found.replayed) return undefined;
  return { kind: 'primary', says: 'is no standby: it is the primary itself, or was promoted' };
}
