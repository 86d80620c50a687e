import { formatBytes, formatCount, formatMs, formatPercent, formatRate } from './format.js';
import type { Durations, Point, RunResult } from './result.js';
import { firstOffenders, healingOf, MUST_BE_ZERO } from './summary.js';
import { escapeXml, histogramPlot, linePlot, type Series } from './svg-plot.js';

const BLUE = '#2563eb';
const GREEN = '#059669';
const ORANGE = '#d97706';
const PURPLE = '#7c3aed';
const RED = '#dc2626';

/** A report as one HTML file, without scripts and fonts, so that nothing has to be fetched. */
export function htmlReport(result: RunResult): string {
  const { scenario, description, urls, seed, startedAt, durationMs, passed, isInterrupted } = result;
  const verdict = `<span class="verdict ${passed ? 'good' : 'bad'}">${passed ? 'passed' : 'FAILED'}</span>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(scenario)} - Fanfare load test</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeXml(scenario)} ${verdict}</h1>
<p>${escapeXml(description)}${isInterrupted ? ' <strong>Ended early.</strong>' : ''}</p>
<p class="dim">${escapeXml(urls.join(', '))} · ${escapeXml(startedAt.replace('T', ' ').slice(0, 19))} UTC · ${(durationMs / 1000).toFixed(1)} s · seed ${seed}</p>
</header>
${result.generator.limits.map((text) => `<p class="limit">Limited by the generator: ${escapeXml(text)}.</p>`).join('\n')}
${result.gateway.complaints.map((line) => `<p class="limit">In the gateway's log: ${escapeXml(line)}</p>`).join('\n')}
<section class="tiles">${tiles(result)}</section>
<section class="plots">${plots(result)}</section>
${marks(result)}
<section class="tables">
${table('Audit of every subscriber', auditRows(result))}
${table('Durations', durationRows(result))}
${result.disturbed.cut + result.disturbed.stalled > 0 ? table('Cut and stopped by this run', disturbedRows(result)) : ''}
${
  result.thresholds.length > 0
    ? table(
        'Thresholds',
        result.thresholds.map(({ text, value, isMet }) => [
          text,
          Number.isNaN(value) ? 'not measured' : String(Math.round(value * 1000) / 1000),
          isMet ? 'met' : 'MISSED',
        ]),
      )
    : ''
}
${
  Object.keys(result.errors).length > 0
    ? table(
        'Told to clients',
        Object.entries(result.errors).map(([what, count]) => [what, formatCount(count)]),
      )
    : ''
}
</section>
${offenders(result)}
<footer>${method(result)}</footer>
</body>
</html>
`;
}

function tiles(result: RunResult): string {
  const { totals, connections, latency, gateway } = result;
  const seconds = Math.max(1, result.publishedMs) / 1000;
  const wrong = MUST_BE_ZERO.reduce((sum, name) => sum + result.audit[name], 0);
  const all: [string, string, string][] = [
    ['received', formatRate(totals.received / seconds), `${formatCount(totals.received)} messages`],
    ['published', formatRate(totals.acknowledged / seconds), `${formatCount(totals.acknowledged)} acknowledged`],
    [
      'latency p99',
      latency ? formatMs(latency.p99) : '-',
      latency ? `p50 ${formatMs(latency.p50)}, p99.9 ${formatMs(latency.p999)}` : '',
    ],
    [
      'connections',
      formatCount(connections.peak),
      `of ${formatCount(connections.wanted)}${connections.refused > 0 ? `, ${formatCount(connections.refused)} refused for good` : ''}`,
    ],
    [
      "gateway's memory",
      gateway.peakBytes === undefined ? '-' : formatBytes(gateway.peakBytes),
      gateway.bytesPerConnection === undefined ? '' : `${formatBytes(gateway.bytesPerConnection)} a connection`,
    ],
    ['lost, duplicated, reordered …', formatCount(wrong), `${formatCount(result.audit.resets)} resets told`],
  ];
  return all
    .map(([name, value, more], index) => {
      const colour = index === 5 ? (wrong > 0 ? ' bad' : ' good') : '';
      return `<div class="tile"><div class="name">${name}</div><div class="value${colour}">${escapeXml(value)}</div><div class="dim">${escapeXml(more)}</div></div>`;
    })
    .join('');
}

function plots({ points, marks, durationMs, latency, latencyCounts }: RunResult): string {
  const series = (name: string, colour: string, read: (point: Point) => number | undefined): Series => ({
    name,
    colour,
    points: points.map((point) => [point.atMs, read(point) ?? Number.NaN]),
  });
  const shared = { marks, durationMs };
  const percentiles = latency
    ? [
        { name: 'p50', value: latency.p50 },
        { name: 'p99', value: latency.p99 },
        { name: 'p99.9', value: latency.p999 },
      ]
    : [];
  return [
    linePlot({
      ...shared,
      title: 'Received',
      format: (value) => formatRate(value),
      series: [series('messages', BLUE, ({ received }) => received)],
    }),
    linePlot({
      ...shared,
      title: 'Published',
      format: (value) => formatRate(value),
      series: [
        series('acknowledged', GREEN, ({ acknowledged }) => acknowledged),
        series('errors', RED, ({ errors }) => errors),
      ],
    }),
    linePlot({
      ...shared,
      title: 'Latency',
      isLogarithmic: true,
      format: formatMs,
      series: [
        series('p50', GREEN, ({ p50 }) => p50),
        series('p99', ORANGE, ({ p99 }) => p99),
        series('p99.9', RED, ({ p999 }) => p999),
      ],
    }),
    histogramPlot('Latency of all messages', latencyCounts, percentiles, formatMs),
    linePlot({
      ...shared,
      title: 'Connections',
      format: formatCount,
      series: [
        series('subscribed', BLUE, ({ connections }) => connections),
        series('on their way', ORANGE, ({ pending }) => pending),
      ],
    }),
    linePlot({
      ...shared,
      title: 'CPU, of a core',
      format: formatPercent,
      series: [
        series('gateways', BLUE, ({ gatewayCpu }) => gatewayCpu),
        series('generators', PURPLE, ({ generatorCpu }) => generatorCpu),
        series('busiest loop', ORANGE, ({ generatorBusy }) => generatorBusy),
      ],
    }),
    linePlot({
      ...shared,
      title: 'Memory',
      isBytes: true,
      format: formatBytes,
      series: [
        series('gateways', BLUE, ({ gatewayBytes }) => gatewayBytes),
        series('generators', PURPLE, ({ generatorBytes }) => generatorBytes),
      ],
    }),
  ]
    .map((plot) => `<figure>${plot}</figure>`)
    .join('\n');
}

function marks({ marks: all }: RunResult): string {
  if (all.length === 0) return '';
  const items = all.map(
    ({ atMs, text, isFault }, index) =>
      `<li class="${isFault ? 'fault' : ''}"><span class="number">${index + 1}</span> ${(atMs / 1000).toFixed(1)} s: ${escapeXml(text)}</li>`,
  );
  return `<section><h2>On the time axis</h2><ol class="marks">${items.join('')}</ol></section>`;
}

function auditRows({ audit }: RunResult): string[][] {
  return [
    ...MUST_BE_ZERO.map((name) => [name, formatCount(audit[name]), audit[name] === 0 ? 'ok' : 'FAILED']),
    ['resets told', formatCount(audit.resets)],
    ['skipped, as a reset told', formatCount(audit.skipped)],
    ['lost by Redis itself, in failovers', formatCount(audit.lostByLog)],
    ['missed on live channels', formatCount(audit.missed)],
    ['messages received', formatCount(audit.received)],
    ['checksums verified', formatCount(audit.verified)],
  ];
}

function disturbedRows({ disturbed, gateway }: RunResult): string[][] {
  const counted = gateway.counters
    ? healingOf(gateway.counters).map(([name, count]) => [name, formatCount(count)])
    : [];
  return [
    ['connections cut', formatCount(disturbed.cut)],
    ['readers stopped for a time', formatCount(disturbed.stalled)],
    ...counted,
  ];
}

function durationRows({ latency, acknowledgement, connecting, lateness }: RunResult): string[][] {
  const row = (name: string, value: Durations | undefined) => [
    name,
    ...(value ? [value.p50, value.p90, value.p99, value.p999, value.max].map(formatMs) : ['-', '-', '-', '-', '-']),
  ];
  return [
    ['', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    row('due to received', latency),
    row('due to acknowledged', acknowledgement),
    row('connect to subscribed', connecting),
    row('due to sent (generator)', lateness),
  ];
}

function table(title: string, rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map(({ length }) => length));
  const body = rows.map((given) => {
    const cells = [...given, ...Array.from({ length: columns - given.length }, () => '')];
    const bad = cells.some((cell) => cell === 'FAILED' || cell === 'MISSED') ? ' class="bad"' : '';
    return `<tr${bad}>${cells.map((cell) => `<td>${escapeXml(cell)}</td>`).join('')}</tr>`;
  });
  return `<div><h2>${escapeXml(title)}</h2><table>${body.join('')}</table></div>`;
}

function offenders(result: RunResult): string {
  const rows = firstOffenders(result).map(({ what, subscriber, channel, epoch, offset, at, detail }) => [
    what,
    subscriber,
    channel,
    offset === undefined ? '-' : `${epoch ?? '?'}-${offset}`,
    new Date(at).toISOString().slice(11, 23),
    detail,
  ]);
  if (rows.length === 0) return '';
  return `<section>${table('The first of each', [['', 'subscriber', 'channel', 'position', 'at (UTC)', ''], ...rows])}</section>`;
}

function method({ generator, notes, runId }: RunResult): string {
  const clocks = generator.hosts
    .filter(({ host }) => host !== 'local')
    .map(
      ({ host, offsetUs, errorUs }) =>
        `The clock of ${host} is off by ${(offsetUs / 1000).toFixed(3)} ms ± ${(errorUs / 1000).toFixed(3)} ms, which was taken off.`,
    );
  return [
    `Latency counts from when a message was due until a subscriber had read it, by one clock; the percentiles are of all deliveries, from merged counts. ${generator.processes} generator processes; run ${runId}.`,
    ...clocks,
    ...notes,
  ]
    .map((text) => `<p>${escapeXml(text)}</p>`)
    .join('');
}

const STYLE = `
:root{color-scheme:light}
*{box-sizing:border-box}
body{font:15px/1.45 system-ui,sans-serif;color:#1f2937;background:#f8fafc;max-width:1320px;margin:0 auto;padding:28px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:16px;margin:18px 0 6px}p{margin:2px 0}
.dim{color:#6b7280}.good{color:#059669}.bad{color:#dc2626}
.verdict{font-size:15px;padding:3px 10px;border-radius:999px;vertical-align:middle;background:#ecfdf5}
.verdict.bad{background:#fef2f2}
.limit{background:#fef2f2;color:#b91c1c;border-left:4px solid #dc2626;padding:8px 12px;margin:10px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(185px,1fr));gap:12px;margin:18px 0}
.tile{background:#fff;border:1px solid #e5e7eb;border-radius:10px;padding:12px 14px}
.tile .name{color:#6b7280;font-size:13px}.tile .value{font-size:24px;font-weight:600}
.tile .dim{font-size:13px;min-height:19px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:12px}
figure{margin:0;background:#fff;border:1px solid #e5e7eb;border-radius:10px;padding:8px}
svg{display:block;width:100%;height:auto;font:11px system-ui,sans-serif}
svg .title{font-size:13px;font-weight:600;fill:#1f2937}
svg .tick,svg .legend{fill:#6b7280}svg .grid{stroke:#eef2f7}svg .axis{stroke:#cbd5e1}
svg .bar{fill:#93c5fd}svg .percentile line{stroke:#7c3aed;stroke-dasharray:3 3}svg .percentile text{fill:#7c3aed}
svg .mark line{stroke:#94a3b8;stroke-dasharray:2 4}svg .mark text{fill:#64748b;font-size:9px}
svg .fault line{stroke:#dc2626;stroke-dasharray:4 3;opacity:.55}svg .fault text{fill:#dc2626;font-size:9px}
.marks{list-style:none;padding:0;columns:2;font-size:13px}.marks .number{display:inline-block;min-width:22px;color:#64748b}
.marks .fault,.marks .fault .number{color:#b91c1c}
.tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:4px 28px}
table{border-collapse:collapse;width:100%;background:#fff;border:1px solid #e5e7eb;font-size:13.5px}
td{padding:5px 10px;border-top:1px solid #f1f5f9;overflow-wrap:anywhere}td:not(:first-child){font-variant-numeric:tabular-nums}
tr.bad td{color:#dc2626;font-weight:600}
footer{margin-top:22px;color:#6b7280;font-size:13px}
@media print{body{background:#fff;padding:0;max-width:none;font-size:12px}.plots{grid-template-columns:1fr 1fr}figure,.tile,table{break-inside:avoid}.tiles{grid-template-columns:repeat(3,1fr)}.tables{grid-template-columns:1fr 1fr}@page{size:A4;margin:12mm}}
`;
