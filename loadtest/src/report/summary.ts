import { formatBytes, formatCount, formatMs, formatPercent, formatRate, type Paint } from './format.js';
import type { Durations, RunResult } from './result.js';

const NAME_WIDTH = 24;
/** The counts that have to be 0 on a durable channel, by their names in the summary. */
export const MUST_BE_ZERO = ['lost', 'duplicated', 'reordered', 'corrupted', 'misplaced', 'holes'] as const;

/** The summary at the end of a run: one line a figure, name, dots, value. */
export function formatSummary(result: RunResult, paint: Paint): string {
  const lines: string[] = [''];
  const line = (name: string, value: string, isBad = false) =>
    lines.push(`  ${`${name} `.padEnd(NAME_WIDTH, '.')} ${isBad ? paint.red(value) : value}`);
  const seconds = Math.max(1, result.publishedMs) / 1000;
  const { totals, audit, connections } = result;
  lines.push(paint.bold(`  ${result.scenario}`) + (result.description && paint.dim(`: ${result.description}`)));
  lines.push(paint.dim(`  ${result.urls.join(', ')}  seed ${result.seed}  ${(result.durationMs / 1000).toFixed(1)} s`));
  if (result.isInterrupted) lines.push(paint.red('  ended early: this is what there was so far'));
  lines.push('');
  line(
    'connections',
    `${formatCount(connections.peak)} of ${formatCount(connections.wanted)}${connections.refused > 0 ? `, ${formatCount(connections.refused)} refused for good` : ''}`,
    connections.refused > 0 || (connections.peak < connections.wanted && !result.isInterrupted),
  );
  line(
    'published',
    `${formatCount(totals.acknowledged)} acknowledged of ${formatCount(totals.published)}  ${formatRate(totals.acknowledged / seconds)}`,
  );
  line(
    'received',
    `${formatCount(totals.received)}  ${formatRate(totals.received / seconds)}  ${formatBytes(totals.bytes)}`,
  );
  if (totals.presence > 0) line('joins and leaves', formatCount(totals.presence));
  line('latency', durations(result.latency));
  line('acknowledgement', durations(result.acknowledgement));
  line('connect to subscribed', durations(result.connecting));
  const { bytesPerConnection, peakBytes } = result.gateway;
  if (peakBytes !== undefined) {
    const each = bytesPerConnection === undefined ? '' : `  ${formatBytes(bytesPerConnection)} a connection`;
    line("gateway's memory", `${formatBytes(peakBytes)}${each}`);
  }
  const cpu = mean(result.points.flatMap(({ gatewayCpu, published }) => (published > 0 ? (gatewayCpu ?? []) : [])));
  if (cpu !== undefined) line("gateway's CPU", `${formatPercent(cpu)} of a core`);
  const own = mean(result.points.flatMap(({ generatorCpu, published }) => (published > 0 ? generatorCpu : [])));
  if (own !== undefined)
    line("generator's CPU", `${formatPercent(own)} of a core, ${result.generator.processes} processes`);
  const { cut, stalled } = result.disturbed;
  if (cut + stalled > 0)
    line('cut', `${formatCount(cut)} connections; ${formatCount(stalled)} readers stopped for a time`);
  if (cut + stalled > 0 && result.gateway.counters) {
    const counted = healingOf(result.gateway.counters).map(([name, count]) => `${formatCount(count)} ${name}`);
    line('the gateway counted', counted.join(', '));
  }
  for (const { host, offsetUs, errorUs } of result.generator.hosts) {
    if (host !== 'local')
      line(`clock of ${host}`, `${(offsetUs / 1000).toFixed(3)} ms ± ${(errorUs / 1000).toFixed(3)} ms`);
  }
  lines.push('');
  for (const name of MUST_BE_ZERO) line(name, formatCount(audit[name]), audit[name] > 0);
  line('resets told', formatCount(audit.resets));
  if (audit.skipped > 0) line('skipped, as a reset told', formatCount(audit.skipped));
  if (audit.lostByLog > 0) line('lost by Redis itself', `${formatCount(audit.lostByLog)} (a failover took them back)`);
  if (audit.missed > 0) line('missed on live channels', formatCount(audit.missed));
  line('checksums verified', formatCount(audit.verified));
  for (const { what, channel, subscriber, epoch, offset, at, detail } of firstOffenders(result)) {
    const position = offset === undefined ? '' : ` at ${epoch ?? '?'}-${offset}`;
    lines.push(
      paint.red(`    first ${what}: ${subscriber} on ${channel}${position}, ${new Date(at).toISOString()}: ${detail}`),
    );
  }
  const errors = Object.entries(result.errors);
  if (errors.length > 0) lines.push('');
  for (const [what, count] of errors.slice(0, 12)) line('told', `${formatCount(count)} x ${what}`);
  if (errors.length > 12) line('told', `and ${errors.length - 12} other things`);
  if (result.marks.length > 0) lines.push('');
  for (const { atMs, text } of result.marks)
    lines.push(paint.dim(`  ${(atMs / 1000).toFixed(1).padStart(7)} s  ${text}`));
  if (result.thresholds.length > 0) lines.push('');
  for (const { text, value, isMet } of result.thresholds) {
    const shown = Number.isNaN(value) ? 'not measured' : String(Math.round(value * 1000) / 1000);
    lines.push(`  ${isMet ? paint.green('✓') : paint.red('✗')} ${text}  ${paint.dim(`(${shown})`)}`);
  }
  lines.push('');
  for (const note of result.notes) lines.push(`  ${note}`);
  for (const limit of result.generator.limits) lines.push(paint.red(`  LIMITED BY THE GENERATOR: ${limit}`));
  for (const complaint of result.gateway.complaints) lines.push(paint.red(`  in the gateway's log: ${complaint}`));
  lines.push(result.passed ? paint.green('  passed') : paint.red('  FAILED'), '');
  return lines.join('\n');
}

/** How clients that were cut off came back, by the counters of the gateways. */
export function healingOf(counters: Readonly<Record<string, number>>): [name: string, count: number][] {
  return [
    ['resumed', counters.fanfare_resumes_recovered_total ?? 0],
    ['taken off as too slow', counters.fanfare_lagged_total ?? 0],
    ['publishes repeated', counters.fanfare_publish_duplicates_total ?? 0],
  ];
}

/** The first offender of each kind. */
export function firstOffenders({ offenders }: RunResult) {
  return offenders.filter((one, index) => offenders.findIndex(({ what }) => what === one.what) === index);
}

function durations(value: Durations | undefined): string {
  if (!value) return '-';
  const { p50, p90, p99, p999, max } = value;
  return `p50 ${formatMs(p50)}  p90 ${formatMs(p90)}  p99 ${formatMs(p99)}  p99.9 ${formatMs(p999)}  max ${formatMs(max)}`;
}

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
