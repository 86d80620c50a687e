/** The dashboard and the alert rules ask for metrics and labels that gateways have, and the documentation knows each alert. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeMetrics } from '../src/observability/docs.js';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}

async function panels(): Promise<readonly Panel[]> {
  return (JSON.parse(await read('deploy/grafana/fanfare.json')) as { panels: Panel[] }).panels;
}

async function rules(): Promise<readonly Rule[]> {
  const file = parse(await read('deploy/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
  return file.groups.flatMap((group) => group.rules);
}

/** Where each query stands, and what is shown of its result. */
async function queries() {
  const shown = (await panels()).flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({ where: title, expr, text: legendFormat })),
  );
  const alerts = (await rules()).map(({ alert, expr, annotations }) => ({
    where: alert,
    expr,
    text: annotations.summary,
  }));
  return [...shown, ...alerts];
}

/** Labels of every series of a metric, those included that Prometheus gives it. */
async function labelsByMetric(): Promise<Map<string, readonly string[]>> {
  const known = new Map<string, readonly string[]>();
  for (const { name, type, labels } of await describeMetrics()) {
    const all = [...labels, 'node', 'job', 'instance'];
    if (type !== 'histogram') known.set(name, all);
    else for (const part of ['bucket', 'sum', 'count']) known.set(`${name}_${part}`, [...all, 'le']);
  }
  for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'up'])
    known.set(name, ['node', 'job', 'instance']);
  return known;
}

/** Names of PromQL that are no metrics: what is called, and what stands between. */
const WORDS = /^(by|or|and|unless|time|sum|min|max|count|rate|increase|histogram_quantile|on|ignoring)$/;

function namesIn(expr: string): string[] {
  const bare = expr.replaceAll(/"[^"]*"|\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)/g, ' ');
  return [...bare.matchAll(/[a-z_]\w*/g)].map(([name]) => name).filter((name) => !WORDS.test(name));
}

function labelsIn(expr: string): string[] {
  const selected = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, inner = '']) =>
    [...inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  );
  const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, inner = '']) =>
    inner.split(',').map((one) => one.trim()),
  );
  return [...selected, ...grouped];
}

it('ask for nothing that gateways do not tell', async () => {
  const known = await labelsByMetric();
  const problems: string[] = [];
  let checked = 0;
  for (const { where, expr, text } of await queries()) {
    const names = namesIn(expr);
    if (names.length === 0) problems.push(`${where}: asks for no metric`);
    for (const name of names) if (!known.has(name)) problems.push(`${where}: no metric ${name}`);
    const labels = new Set(names.flatMap((name) => known.get(name) ?? []));
    for (const label of labelsIn(expr)) if (!labels.has(label)) problems.push(`${where}: no label ${label}`);
    const grouped = labelsIn(expr);
    for (const [, label = ''] of text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)) {
      const isKept = grouped.includes(label) || !/\b(sum|min|max|count)\b/.test(expr);
      if (!labels.has(label) || !isKept) problems.push(`${where}: shows no label ${label}`);
    }
    checked++;
  }
  expect(problems).toEqual([]);
  expect(checked).toBeGreaterThan(60);
});

it('find a metric or a label that is gone', () => {
  expect(namesIn('sum by (node) (rate(fanfare_x_total{node=~"$node"}[5m])) > 0.05 * max(up{job="fanfare"})')).toEqual([
    'fanfare_x_total',
    'up',
  ]);
  expect(labelsIn('sum by (le, node) (rate(a{code=~"b|c",x!="d"}[5m]))')).toEqual(['code', 'x', 'le', 'node']);
});

it('show every metric of the table at least once', async () => {
  const asked = (await queries()).map(({ expr }) => expr).join('\n');
  const missing = (await describeMetrics()).map(({ name }) => name).filter((name) => !asked.includes(name));
  expect(missing).toEqual([]);
});

it('have each alert in the documentation', async () => {
  const page = await read('docs/OBSERVABILITY.md');
  const alerts = (await rules()).map(({ alert }) => alert);
  const documented = [...page.matchAll(/^\| `(Fanfare\w+)` \|/gm)].map(([, name]) => name);
  expect(documented).toEqual(alerts);
  expect(new Set(alerts).size).toBe(alerts.length);
});
