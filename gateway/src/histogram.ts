/** Counts values in buckets, as Prometheus does. It is so plain that each message may be observed. */
export class Histogram {
  /** Upper bounds of the buckets, ascending. A last bucket without a bound follows. */
  readonly bounds: readonly number[];
  /** How many values are in each bucket by itself. There is one more than there are bounds. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    (counts[bucket] as number)++;
    this.sum += value;
  }
}

/** Bounds for latencies, ms. */
export const LATENCY_BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000];
