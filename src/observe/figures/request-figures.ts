import { Histogram, type Registry } from 'prom-client';

export interface RequestFigures {
  /** `route` is the template of the path, such as `/v1/batches/:id`, never the path itself. */
  requestAnswered(event: { method: string; route: string; status: number; seconds: number }): void;
}

/** In seconds: from a cached read to a slow upload. */
export const durationBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120,
];

export function requestFigures(registry: Registry): RequestFigures {
  const requests = new Histogram({
    name: 'millrace_http_request_seconds',
    help: 'Time from the end of a request head to the end of its answer',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: durationBuckets,
    registers: [registry],
  });
  return {
    requestAnswered({ method, route, status, seconds }) {
      requests.observe({ method, route, status }, seconds);
    },
  };
}
