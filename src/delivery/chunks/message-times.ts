import { parseTime } from '../../lib/parse-time.ts';
import type { MessageDefaults, MessageFields } from '../../message/fields.ts';

/**
 * When each message of a chunk may be sent at the earliest, and when at the latest, as far as its sender said so.
 * Unix milliseconds by the database's clock; infinite where nothing is said.
 */
export interface MessageTimes {
  scheduledAtMs(offset: number): number;
  expiresAtMs(offset: number): number;
  /** Of lines that name no time of their own. */
  batchExpiresAtMs: number;
}

/** Of a chunk of which nobody said anything. */
export const untimed: MessageTimes = {
  scheduledAtMs: () => Number.NEGATIVE_INFINITY,
  expiresAtMs: () => Number.POSITIVE_INFINITY,
  batchExpiresAtMs: Number.POSITIVE_INFINITY,
};

/** Undefined for a chunk of which nobody said anything. `timed`: some of its lines name times of their own. */
export function messageTimes(chunk: {
  lines: readonly string[];
  count: number;
  timed: boolean;
  defaults: MessageDefaults | undefined;
}): MessageTimes | undefined {
  const { lines, count, timed, defaults } = chunk;
  const scheduledAtMs = timeOf(defaults?.scheduledAt) ?? Number.NEGATIVE_INFINITY;
  const expiresAtMs = timeOf(defaults?.expiresAt) ?? Number.POSITIVE_INFINITY;
  if (!timed) {
    if (!Number.isFinite(scheduledAtMs) && !Number.isFinite(expiresAtMs)) return undefined;
    const batchExpiresAtMs = expiresAtMs;
    return { scheduledAtMs: () => scheduledAtMs, expiresAtMs: () => expiresAtMs, batchExpiresAtMs };
  }
  const scheduled = new Float64Array(count).fill(scheduledAtMs);
  const expires = new Float64Array(count).fill(expiresAtMs);
  for (const [offset, line] of lines.entries()) {
    const own = ownTimes(line);
    scheduled[offset] = timeOf(own.scheduledAt) ?? scheduledAtMs;
    expires[offset] = timeOf(own.expiresAt) ?? expiresAtMs;
  }
  return {
    scheduledAtMs: (offset) => scheduled[offset]!,
    expiresAtMs: (offset) => expires[offset]!,
    batchExpiresAtMs: expiresAtMs,
  };
}

/** Of a line that cannot be read there are none: it fails when it is handled. */
function ownTimes(line: string): Pick<MessageFields, 'scheduledAt' | 'expiresAt'> {
  try {
    return JSON.parse(line) as MessageFields;
  } catch {
    return {};
  }
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseTime(text)?.getTime();
}
