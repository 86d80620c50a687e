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
  stats.publishedDurableHttp = 5;
  count(stats.closes, 4001);
  count(stats.closes, 4001);
  await metrics.text();
  stats.publishedDurableHttp = 7;
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

it('collects once for all who ask within a second, and again after a failure', async () => {
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
  now = 999;
  expect(await text()).toBe('text 1');
  now = 1_000;
  fails = true;
  await expect(text()).rejects.toThrow('no');
  fails = false;
  expect(await text()).toBe('text 3');
});
