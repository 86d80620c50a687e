/** One observation: `value` is the sum of `factors` times the unknown slopes. */
export interface Observation {
  readonly factors: readonly number[];
  readonly value: number;
}

interface Fit {
  readonly slopes: readonly number[];
  /** The mean of |predicted - observed| / observed. */
  readonly error: number;
}

/**
 * The slopes with the least squares of relative errors: a run of little load counts as much as one of much. No slope is
 * negative: one that would be is left out, and the others are fitted again.
 * @throws {Error} if the observations do not suffice to tell the slopes apart
 */
export function fitSlopes(observations: readonly Observation[]): Fit {
  const used = observations.filter(({ value }) => value > 0);
  const count = used[0]?.factors.length ?? 0;
  let kept = Array.from({ length: count }, (_, column) => column);
  for (;;) {
    const found = solve(normalEquations(used, kept));
    const slopes = Array.from({ length: count }, (_, column) => found[kept.indexOf(column)] ?? 0);
    const negative = kept.filter((column) => (slopes[column] as number) < 0);
    if (negative.length > 0) {
      kept = kept.filter((column) => !negative.includes(column));
      continue;
    }
    const errors = used.map(({ factors, value }) => Math.abs(dot(factors, slopes) - value) / value);
    return { slopes, error: errors.reduce((sum, error) => sum + error, 0) / errors.length };
  }
}

function dot(left: readonly number[], right: readonly number[]): number {
  return left.reduce((sum, value, index) => sum + value * (right[index] as number), 0);
}

/** One row for each slope: the coefficients, then the right-hand side. */
function normalEquations(observations: readonly Observation[], columns: readonly number[]): number[][] {
  const scaled = observations.map(({ factors, value }) => columns.map((column) => (factors[column] as number) / value));
  return columns.map((_, row) => [
    ...columns.map((__, column) =>
      scaled.reduce((sum, one) => sum + (one[row] as number) * (one[column] as number), 0),
    ),
    scaled.reduce((sum, one) => sum + (one[row] as number), 0),
  ]);
}

/** Solves the equations by Gauss and Jordan, with the largest pivot. */
function solve(rows: number[][]): number[] {
  for (const [column] of rows.entries()) {
    const below = rows.slice(column).sort((a, b) => Math.abs(b[column] as number) - Math.abs(a[column] as number));
    rows.splice(column, below.length, ...below);
    const pivot = rows[column] as number[];
    const scale = pivot[column] as number;
    if (!(Math.abs(scale) > Number.MIN_VALUE)) throw new Error('the runs do not tell the slopes apart');
    for (const [index, row] of rows.entries()) {
      if (index === column) continue;
      const factor = (row[column] as number) / scale;
      rows[index] = row.map((value, at) => value - factor * (pivot[at] as number));
    }
  }
  return rows.map((row, column) => (row.at(-1) as number) / (row[column] as number));
}
