/** What a worker has done since it started. Counted in messages but for `requests`. */
export interface DeliveryCounts {
  requests: number;
  attempts: number;
  sent: number;
  retried: number;
  failed: number;
  expired: number;
  canceled: number;
  uncertain: number;
}

export function noDeliveries(): DeliveryCounts {
  const messages = { sent: 0, retried: 0, failed: 0, expired: 0, canceled: 0, uncertain: 0 };
  return { requests: 0, attempts: 0, ...messages };
}
