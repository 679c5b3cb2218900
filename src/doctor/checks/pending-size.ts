import { type PendingSize, readPendingSize } from '../../store/inspection/read-pending-size.ts';
import { type Check, orOk } from '../check.ts';

/** Room that a table of this use takes anyway, and may keep after a flood. */
const bytesFree = 64 * 1_048_576;
/** A row with its index entries takes some 170 bytes; its pages are filled to 80 %. */
const bytesPerRow = 256;
/** Dead rows beyond this and a fifth of the live ones are more than autovacuum's settings would leave. */
const deadRowsFree = 20_000;

export const pendingSize: Check = {
  name: 'pending-size',
  async run({ database }) {
    const size = await readPendingSize(database);
    const { deadRows, liveRows, vacuumOff } = size;
    const bytes = size.tableBytes + size.indexBytes;
    const room = bytesFree + (liveRows + deadRows) * bytesPerRow;
    return orOk(
      [
        ...(vacuumOff ? [turnedOff] : []),
        ...(deadRows > deadRowsFree + liveRows / 5
          ? [
              {
                severity: 'warning' as const,
                summary: `pending has ${deadRows} dead rows beside ${liveRows} live ones: reading it slows down`,
                mend: 'End what holds them back (old-transactions, prepared-transactions, replication-slots), then VACUUM pending;',
              },
            ]
          : []),
        ...(bytes > room
          ? [
              {
                severity: 'warning' as const,
                summary: `pending takes ${megabytes(bytes)} for ${liveRows} rows`,
                mend: 'VACUUM pending; REINDEX TABLE CONCURRENTLY pending; and in a quiet hour VACUUM FULL pending;',
              },
            ]
          : []),
      ],
      described(size),
    );
  },
};

const turnedOff = {
  severity: 'error' as const,
  summary: 'autovacuum is turned off for pending: it grows for ever',
  mend: 'ALTER TABLE pending RESET (autovacuum_enabled);',
};

function described({ tableBytes, indexBytes, liveRows, deadRows }: PendingSize): string {
  return `pending: ${liveRows} rows, ${deadRows} dead, ${megabytes(tableBytes + indexBytes)}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
