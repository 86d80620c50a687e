import { expect, it } from 'vitest';
import { count, createStats } from '../stats.js';
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
  expect(await createMetrics(options).text()).not.toContain('fanfare_broker_events_total');
});

it('shows every counter there is', async () => {
  const stats = createStats();
  const counters = stats as unknown as Record<string, number | Map<unknown, number>>;
  for (const [index, name] of Object.keys(stats).entries()) {
    const value = counters[name];
    if (value instanceof Map) value.set('x', 1_000_000 + index);
    else counters[name] = 1_000_000 + index;
  }
  const text = await createMetrics({ stats, node: 'n', version: '0', health: () => [] }).text();
  const missing = Object.keys(stats).filter((_, index) => !text.includes(` ${1_000_000 + index}`));
  expect(missing).toEqual([]);
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
