/** The median. Of an even number of values it is the lower one of the two in the middle. */
export function median(values: readonly number[]): number {
  return percentile(Float64Array.from(values).sort(), 0.5);
}

/** Nearest-rank percentile of sorted values, with `share` from 0 to 1. NaN if there are no values. */
export function percentile(sorted: Float64Array | Float32Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
