import { type ReplicationSlot, readReplicationSlots } from '../../store/inspection/read-replication.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** WAL kept for a standby that is away: more than a flood of 4,000,000 messages writes (0.3 GB). */
const keptBytesMax = 1_073_741_824;

export const replicationSlots: Check = {
  name: 'replication-slots',
  async run({ database }) {
    const slots = await readReplicationSlots(database);
    const summary = slots.length === 0 ? 'none' : `${slots.length}, all followed`;
    return orOk(slots.flatMap(judge), summary);
  },
};

function judge({ name, active, walStatus, bytes, holdsRows }: ReplicationSlot): Finding[] {
  const drop = `SELECT pg_drop_replication_slot('${name.replaceAll("'", "''")}');`;
  if (walStatus === 'lost' || walStatus === 'unreserved') {
    const summary = `the slot ${name} is ${walStatus}: its standby ${walStatus === 'lost' ? 'must be made anew' : 'is about to be left behind'}`;
    return [{ severity: 'error', summary, mend: `Make the standby anew, then ${drop}` }];
  }
  const kept = bytes ?? 0;
  if (kept > keptBytesMax) {
    const summary = `the slot ${name} (${active ? 'followed' : 'nobody follows it'}) holds ${gigabytes(kept)} of WAL on the disk`;
    return [
      { severity: 'warning', summary, mend: `Start its standby, or ${drop} and set max_slot_wal_keep_size` },
    ];
  }
  if (active) return [];
  const held = holdsRows ? 'WAL and dead rows' : 'WAL';
  return [
    {
      severity: 'warning',
      summary: `nobody follows the slot ${name}: it holds ${held}, more from now on`,
      mend: `Start its standby, or ${drop}`,
    },
  ];
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1_073_741_824).toFixed(1)} GiB`;
}
