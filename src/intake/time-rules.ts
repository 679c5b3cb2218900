/** What the times of a message are judged by. Unix milliseconds by the database's clock. */
export interface TimeRules {
  /** No schedule may lie beyond: the message would be kept no longer. */
  latestMs: number;
  /** The batch's own times, for lines that do not name theirs. */
  scheduledAtMs?: number | undefined;
  expiresAtMs?: number | undefined;
}

export interface MessageTimes {
  scheduledAtMs?: number | undefined;
  expiresAtMs?: number | undefined;
}

export interface TimesProblem {
  field: 'scheduledAt' | 'expiresAt';
  detail: string;
}

export const notATime = 'must be a time of RFC 3339 with its zone, such as 2030-01-31T09:30:00Z';

/**
 * Why these times cannot be obeyed. Times that have passed can be: what was scheduled for then leaves at once, and
 * what expired then is not sent; so a body that is sent again is judged as it was before.
 */
export function timesProblem(times: MessageTimes, rules: TimeRules): TimesProblem | undefined {
  const scheduledAtMs = times.scheduledAtMs ?? rules.scheduledAtMs;
  const expiresAtMs = times.expiresAtMs ?? rules.expiresAtMs;
  if (scheduledAtMs !== undefined && scheduledAtMs > rules.latestMs) {
    const latest = new Date(rules.latestMs).toISOString();
    const detail = `lies beyond ${latest}: messages are not kept longer (option retentionDays of the server)`;
    return { field: 'scheduledAt', detail };
  }
  if (scheduledAtMs !== undefined && expiresAtMs !== undefined && expiresAtMs <= scheduledAtMs) {
    return { field: 'expiresAt', detail: 'must be later than "scheduledAt"' };
  }
  return undefined;
}
