import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { Histogram } from '../histogram.js';
import { count, createStats } from '../stats.js';
import { describeMetrics, withMetricsTable } from './docs.js';
import { createMetrics, shared } from './metrics.js';

it('shows the counters as they are when asked, each scrape anew', async () => {
  const stats = createStats();
  const metrics = createMetrics({
    stats,
    node: 'n1',
    version: '1.2.3',
    health: () => [
      { shard: 'a', state: 'ok' },
      { shard: 'b', state: 'lost' },
    ],
  });
  stats.connections = 3;
  stats.publishedDurable.set('http', 5);
  count(stats.closes, 4001);
  count(stats.closes, 4001);
  await metrics.text();
  stats.publishedDurable.set('http', 7);
  const text = await metrics.text();
  for (const line of [
    'fanfare_info{version="1.2.3",node="n1"} 1',
    'fanfare_connections{node="n1"} 3',
    'fanfare_closes_total{code="4001",node="n1"} 2',
    'fanfare_published_total{kind="durable",via="http",node="n1"} 7',
    'fanfare_published_total{kind="live",via="ws",node="n1"} 0',
    'fanfare_audit_findings_total{node="n1"} 0',
    'fanfare_broker_shard_ok{shard="b",node="n1"} 0',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
  expect(text).toContain('nodejs_eventloop_lag_seconds');
  expect(metrics.contentType).toContain('text/plain');
});

it('sums up close codes that mean nothing here', async () => {
  const stats = createStats();
  for (const code of [1000, 1006, 4000, 4999, 3000, 3001]) count(stats.closes, code);
  const text = await createMetrics({ stats, node: 'n', version: '0', health: () => [] }).text();
  const closes = [...text.matchAll(/^fanfare_closes_total\{code="(\w+)",node="n"\} (\d+)$/gm)];
  expect(closes.map(([, code, sum]) => [code, sum])).toEqual([
    ['1000', '1'],
    ['1006', '1'],
    ['4000', '1'],
    ['other', '3'],
  ]);
});

it('shows what the broker counts, where it counts', async () => {
  const options = { stats: createStats(), node: 'n', version: '0', health: () => [] };
  const text = await createMetrics({ ...options, brokerStats: () => ({ connects: 2, lost: 1 }) }).text();
  expect(text).toContain('fanfare_broker_events_total{event="connects",node="n"} 2');
  expect(text).toContain('fanfare_broker_events_total{event="lost",node="n"} 1');
  expect(await createMetrics(options).text()).not.toContain('fanfare_broker_events_total{');
});

it('shows every counter there is', async () => {
  const stats = createStats();
  const values: number[] = [];
  /** A number that stands nowhere else. */
  const mark = () => {
    const value = 1_000_000 + values.length;
    values.push(value);
    return value;
  };
  const counters = stats as unknown as Record<string, unknown>;
  for (const [name, value] of Object.entries(counters)) {
    if (value instanceof Histogram) value.counts[0] = mark();
    else if (name === 'fanOut')
      stats.fanOut.set('x', { messages: mark(), bytes: mark(), deliveries: mark(), deliveredBytes: mark() });
    else if (value instanceof Map) value.set('x', mark());
    // The one that is told in s.
    else counters[name] = name.endsWith('Ms') ? mark() * 1_000 : mark();
  }
  const text = await createMetrics({ stats, node: 'n', version: '0', health: () => [] }).text();
  expect(values.filter((value) => !text.includes(` ${value}\n`))).toEqual([]);
});

it('tells latencies as a histogram in seconds', async () => {
  const stats = createStats();
  for (const ms of [0, 1, 1.5, 2, 70_000]) stats.flushLatency.observe(ms);
  const text = await createMetrics({ stats, node: 'n', version: '0', health: () => [] }).text();
  const lines = text.split('\n').filter((line) => line.startsWith('fanfare_publish_to_flush_seconds'));
  expect(text).toContain('# TYPE fanfare_publish_to_flush_seconds histogram');
  expect(lines).toEqual(
    expect.arrayContaining([
      'fanfare_publish_to_flush_seconds_bucket{le="0.001",node="n"} 2',
      'fanfare_publish_to_flush_seconds_bucket{le="0.002",node="n"} 4',
      'fanfare_publish_to_flush_seconds_bucket{le="60",node="n"} 4',
      'fanfare_publish_to_flush_seconds_bucket{le="+Inf",node="n"} 5',
      'fanfare_publish_to_flush_seconds_sum{node="n"} 70.0045',
      'fanfare_publish_to_flush_seconds_count{node="n"} 5',
    ]),
  );
});

it('tells which services answer, and how many keys there are, where they are configured', async () => {
  const options = { stats: createStats(), node: 'n', version: '0', health: () => [] };
  const bare = await createMetrics(options).text();
  expect(bare).not.toMatch(/^fanfare_(service_up|jwks_keys)[{ ]/m);
  const services = [
    { service: 'jwks', isUp: true },
    { service: 'auth_hook', isUp: false },
  ];
  const text = await createMetrics({ ...options, services: () => services, jwksKeys: () => 2 }).text();
  expect(text).toContain('fanfare_service_up{service="jwks",node="n"} 1');
  expect(text).toContain('fanfare_service_up{service="auth_hook",node="n"} 0');
  expect(text).toContain('fanfare_jwks_keys{node="n"} 2');
});

it('has no label by channel, user, session or address', async () => {
  const labels = new Set((await describeMetrics()).flatMap((one) => one.labels));
  expect([...labels].sort()).toMatchInlineSnapshot(`
    [
      "call",
      "code",
      "dialect",
      "event",
      "kind",
      "limit",
      "outcome",
      "pid",
      "quantile",
      "reason",
      "service",
      "shard",
      "status",
      "version",
      "via",
      "worker",
    ]
  `);
});

it('is described in the documentation as it is', async () => {
  const page = await readFile(new URL('../../../docs/OBSERVABILITY.md', import.meta.url), 'utf8');
  expect(page, 'run: npm run build && node scripts/metrics-docs.mjs').toBe(await withMetricsTable(page));
});

it('collects once for all who ask within 100 ms, and again after a failure', async () => {
  let now = 0;
  let collected = 0;
  let fails = false;
  const text = shared(
    async () => {
      collected++;
      if (fails) throw new Error('no');
      return `text ${collected}`;
    },
    { now: () => now },
  );
  expect(await Promise.all([text(), text()])).toEqual(['text 1', 'text 1']);
  now = 99;
  expect(await text()).toBe('text 1');
  now = 100;
  fails = true;
  await expect(text()).rejects.toThrow('no');
  fails = false;
  expect(await text()).toBe('text 3');
});
