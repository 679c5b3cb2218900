import { collectDefaultMetrics, Registry } from 'prom-client';
import { CappedLabels } from './figures/capped-labels.ts';
import { type DatabaseFigures, databaseFigures } from './figures/database-figures.ts';
import { type DeliveryFigures, deliveryFigures } from './figures/delivery-figures.ts';
import { type IntakeFigures, intakeFigures } from './figures/intake-figures.ts';
import { type MachineFigures, machineFigures } from './figures/machine-figures.ts';
import { type ReplicaFigures, replicaFigures } from './figures/replica-figures.ts';
import { type RequestFigures, requestFigures } from './figures/request-figures.ts';

/**
 * The figures at /metrics: one function per event of the business. Labels come from closed sets (route
 * templates, status codes, states, answer kinds) or are capped, so that no sender can grow the page.
 */
export interface Metrics
  extends RequestFigures,
    IntakeFigures,
    DeliveryFigures,
    DatabaseFigures,
    ReplicaFigures,
    MachineFigures {
  readonly contentType: string;
  render(): Promise<string>;
}

/** Routes beyond these share the label `other`. */
const routeLabelsMax = 200;

/** Of Node itself: gauges with the ending of a counter, which Prometheus warns of. Those by type have the same numbers. */
const misnamed = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const labels = { routeLabels: new CappedLabels(routeLabelsMax) };
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    ...requestFigures(registry),
    ...intakeFigures(registry, labels),
    ...deliveryFigures(registry, labels),
    ...databaseFigures(registry, labels),
    ...replicaFigures(registry),
    ...machineFigures(registry),
  };
}
