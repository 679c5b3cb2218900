import type { Registry } from 'prom-client';

/** Values by bucket: the first of `counts` up to the first bound, the last beyond the last one. */
export interface BucketCounts {
  counts: ArrayLike<number>;
  sum: number;
}

/** The bucket of a value. */
export function bucketOf(value: number, bounds: readonly number[]): number {
  let index = 0;
  while (index < bounds.length && value > bounds[index]!) index++;
  return index;
}

/** A histogram that is told sums of many values: another thread counted them. */
export class CountedHistogram<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly #label: Label;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, { counts: number[]; sum: number }>();

  constructor(settings: {
    name: string;
    help: string;
    label: Label;
    bounds: readonly number[];
    registry: Registry;
  }) {
    this.name = settings.name;
    this.help = settings.help;
    this.#label = settings.label;
    this.#bounds = settings.bounds;
    settings.registry.registerMetric(this as never);
  }

  add(labelValue: string, { counts, sum }: BucketCounts): void {
    let series = this.#series.get(labelValue);
    if (series === undefined) {
      series = { counts: new Array<number>(this.#bounds.length + 1).fill(0), sum: 0 };
      this.#series.set(labelValue, series);
    }
    for (let index = 0; index < series.counts.length; index++) series.counts[index]! += counts[index] ?? 0;
    series.sum += sum;
  }

  /** What the registry asks for. */
  async get() {
    const values = [...this.#series].flatMap(([labelValue, { counts, sum }]) => {
      const labels = { [this.#label]: labelValue };
      let below = 0;
      const buckets = counts.map((count, index) => {
        below += count;
        const le = this.#bounds[index] ?? '+Inf';
        return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: below };
      });
      const whole = { labels, value: sum, metricName: `${this.name}_sum` };
      return [...buckets, whole, { labels, value: below, metricName: `${this.name}_count` }];
    });
    return { name: this.name, help: this.help, type: this.type, values, aggregator: 'sum' };
  }

  reset(): void {
    this.#series.clear();
  }
}
