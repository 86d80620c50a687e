/** Metrics whose values are read when somebody asks for them, instead of being updated with every change. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Histogram } from '../histogram.js';

/** How the values of several workers become one. */
type Aggregator = 'sum' | 'first' | 'min' | 'max';

/** Sums, each with the values of its labels, in the order of the labels' names. */
type Labelled = Iterable<readonly [values: readonly unknown[], sum: number]>;

export class Instruments {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @param read `undefined`: there is no value now */
  gauge(name: string, help: string, read: () => number | undefined, aggregator: Aggregator = 'sum'): void {
    new Gauge({
      name,
      help,
      aggregator,
      registers: [this.#registry],
      collect() {
        this.reset();
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  }

  gauges<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    read: () => Labelled,
    aggregator: Aggregator = 'sum',
  ): void {
    new Gauge({
      name,
      help,
      aggregator,
      labelNames: [...labels],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [values, value] of read()) this.set(labelled(labels, values), value);
      },
    });
  }

  counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  counters<Label extends string>(name: string, help: string, labels: readonly Label[], read: () => Labelled): void {
    new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [values, sum] of read()) this.inc(labelled(labels, values), sum);
      },
    });
  }

  /** @param histogram of ms; told in s, as Prometheus wants durations */
  seconds(name: string, help: string, histogram: Histogram): void {
    const get = async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: valuesOf(name, histogram) });
    // prom-client's own histogram costs ten times as much an observation; its registry only asks for `get`.
    this.#registry.registerMetric({ name, help, get } as unknown as Gauge);
  }
}

function labelled<Label extends string>(names: readonly Label[], values: readonly unknown[]): Record<Label, string> {
  return Object.fromEntries(names.map((name, index) => [name, String(values[index])])) as Record<Label, string>;
}

function valuesOf(name: string, { bounds, counts, sum }: Histogram) {
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    const bound = bounds[index];
    const le = bound === undefined ? '+Inf' : String(bound / 1000);
    return { metricName: `${name}_bucket`, labels: { le }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sum / 1000 },
    { metricName: `${name}_count`, labels: {}, value: total },
  ];
}
