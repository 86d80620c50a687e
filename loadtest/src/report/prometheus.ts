import type { Point, RunResult } from './result.js';

const SERIES: readonly (readonly [name: string, help: string, read: (point: Point) => number | undefined])[] = [
  ['received_per_second', 'Messages received by all subscribers', ({ received }) => received],
  ['received_bytes_per_second', 'Bytes received by all subscribers', ({ bytes }) => bytes],
  ['published_per_second', 'Messages published', ({ published }) => published],
  ['acknowledged_per_second', 'Messages acknowledged', ({ acknowledged }) => acknowledged],
  ['errors_per_second', 'Errors told to clients', ({ errors }) => errors],
  ['connections', 'Connections that are subscribed', ({ connections }) => connections],
  ['latency_p50_seconds', 'From due to received, of the interval', ({ p50 }) => p50 / 1000],
  ['latency_p99_seconds', 'From due to received, of the interval', ({ p99 }) => p99 / 1000],
  ['latency_p999_seconds', 'From due to received, of the interval', ({ p999 }) => p999 / 1000],
  ['gateway_cpu_cores', "The gateways' CPU", ({ gatewayCpu }) => gatewayCpu],
  ['gateway_resident_bytes', "The gateways' memory", ({ gatewayBytes }) => gatewayBytes],
  ['generator_cpu_cores', "The generators' CPU", ({ generatorCpu }) => generatorCpu],
  ['generator_resident_bytes', "The generators' memory", ({ generatorBytes }) => generatorBytes],
];

/** All series in the OpenMetrics text format, each value with its time. */
export function prometheusText({ scenario, runId, startedAt, points }: RunResult): string {
  const labels = `{scenario="${scenario}",run="${runId}"}`;
  const began = Date.parse(startedAt) / 1000;
  const lines = SERIES.flatMap(([name, help, read]) => [
    `# HELP fanfare_load_${name} ${help}`,
    `# TYPE fanfare_load_${name} gauge`,
    ...points.flatMap((point) => {
      const value = read(point);
      if (value === undefined || Number.isNaN(value)) return [];
      return [`fanfare_load_${name}${labels} ${value} ${(began + point.atMs / 1000).toFixed(3)}`];
    }),
  ]);
  return `${lines.join('\n')}\n# EOF\n`;
}
