/** The table of metrics in docs/OBSERVABILITY.md: `npm run build && node scripts/metrics-docs.mjs` writes it. */
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import { createStats } from '../stats.js';
import { createMetrics, WORKERS_MISSING } from './metrics.js';

/** A page with the table as it is now, between `<!-- metrics -->` and `<!-- /metrics -->`. */
export async function withMetricsTable(page: string): Promise<string> {
  const table = await metricsTable();
  return page.replace(
    /(<!-- metrics -->\n)[\s\S]*?(<!-- \/metrics -->)/,
    (_, start, end) => `${start}\n${table}\n\n${end}`,
  );
}

interface MetricDescription {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Labels of the metric besides `node`, which all have. */
  readonly labels: readonly string[];
}

/** All metrics of Fanfare's own, in the order in which they are told. */
export async function describeMetrics(): Promise<readonly MetricDescription[]> {
  const { registry } = createMetrics({ stats: createStats(), node: '', version: '', worker: 1, health: () => [] });
  const metrics = (await registry.getMetricsAsJSON()) as unknown as MetricObjectWithValues<MetricValue<string>>[];
  const own = metrics.filter(({ name }) => name.startsWith('fanfare_'));
  const labelsOf = (name: string): readonly string[] => {
    const { labelNames = [] } = registry.getSingleMetric(name) as { labelNames?: string[] };
    return labelNames;
  };
  return [
    ...own.map(({ name, type, help }) => ({ name, type: String(type), help, labels: labelsOf(name) })),
    {
      name: WORKERS_MISSING.name,
      type: 'gauge',
      help: WORKERS_MISSING.help,
      labels: [],
    },
  ];
}

async function metricsTable(): Promise<string> {
  const rows = (await describeMetrics()).map(
    ({ name, type, help, labels }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return ['| metric | type | labels | |', '|---|---|---|---|', ...rows].join('\n');
}
