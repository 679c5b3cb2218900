/** What a worker has done since it started. Counted in messages but for `requests`. */
export interface DeliveryCounts {
  requests: number;
  attempts: number;
  sent: number;
  retried: number;
  failed: number;
  expired: number;
}

export function noDeliveries(): DeliveryCounts {
  return { requests: 0, attempts: 0, sent: 0, retried: 0, failed: 0, expired: 0 };
}
