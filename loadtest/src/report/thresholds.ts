import type { RunResult, ThresholdOutcome } from './result.js';

/** A condition on a run that decides its exit code. */
export interface Threshold {
  readonly text: string;
  readonly metric: string;
  readonly operator: '<' | '<=' | '>' | '>=' | '==';
  readonly value: number;
}

type Metrics = Omit<RunResult, 'thresholds' | 'passed'>;

const UNITS = { '': 1, us: 0.001, ms: 1, s: 1_000, '%': 0.01 } as const;

const METRICS: Readonly<Record<string, (result: Metrics) => number | undefined>> = {
  ...Object.fromEntries(
    (['min', 'mean', 'p50', 'p90', 'p99', 'max'] as const).map((name) => [
      name,
      ({ latency }: Metrics) => latency?.[name],
    ]),
  ),
  'p99.9': ({ latency }) => latency?.p999,
  'ack.p50': ({ acknowledgement }) => acknowledgement?.p50,
  'ack.p99': ({ acknowledgement }) => acknowledgement?.p99,
  'connect.p99': ({ connecting }) => connecting?.p99,
  ...Object.fromEntries(
    (
      [
        'lost',
        'duplicated',
        'reordered',
        'corrupted',
        'misplaced',
        'holes',
        'resets',
        'skipped',
        'missed',
        'lostByLog',
      ] as const
    ).map((name) => [name, ({ audit }: Metrics) => audit[name]]),
  ),
  errors: ({ errors }) => Object.values(errors).reduce((sum, count) => sum + count, 0),
  connections: ({ connections }) => connections.peak,
  received: ({ totals }) => totals.received,
  published: ({ totals }) => totals.published,
  deliveries: ({ totals, publishedMs }) => (totals.received * 1000) / Math.max(1, publishedMs),
  publishes: ({ totals, publishedMs }) => (totals.acknowledged * 1000) / Math.max(1, publishedMs),
};

/** Reads a threshold such as `p99<50ms`, `lost==0` or `deliveries>=100000`. @throws {Error} that says what is wrong */
export function parseThreshold(text: string): Threshold {
  const match = /^\s*([\w.]+)\s*(<=|>=|==|<|>)\s*([\d.]+)\s*(us|ms|s|%|)\s*$/.exec(text);
  const [, metric = '', operator, value, unit] = match ?? [];
  if (!match || Number.isNaN(Number(value)))
    throw new Error(`--threshold takes such as 'p99<50ms' or 'lost==0', not ${text}`);
  if (!Object.hasOwn(METRICS, metric)) {
    throw new Error(`--threshold knows no ${metric}; it knows ${Object.keys(METRICS).join(', ')}`);
  }
  return {
    text: text.trim(),
    metric,
    operator: operator as Threshold['operator'],
    value: Number(value) * UNITS[unit as keyof typeof UNITS],
  };
}

/** Compares a result with thresholds. A threshold for something that was not measured is not met. */
export function judge(thresholds: readonly Threshold[], result: Metrics): ThresholdOutcome[] {
  return thresholds.map(({ text, metric, operator, value: limit }) => {
    const value = METRICS[metric]?.(result) ?? Number.NaN;
    const isMet =
      (operator === '<' && value < limit) ||
      (operator === '<=' && value <= limit) ||
      (operator === '>' && value > limit) ||
      (operator === '>=' && value >= limit) ||
      (operator === '==' && value === limit);
    return { text, value, isMet };
  });
}
