import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { count, createStats } from '../stats.js';
import { LimitLog } from './limit-log.js';

function setUp() {
  const clock = new ManualClock();
  const stats = createStats();
  const lines: object[] = [];
  const log = new LimitLog(stats, clock, { warn: (fields) => void lines.push(fields) });
  log.start();
  return { clock, stats, log, lines: () => lines.splice(0) };
}

it('tells the first of each limit within a second, then once a minute how many there were', () => {
  const { clock, stats, lines } = setUp();
  clock.advance(5_000);
  expect(lines()).toEqual([]);
  count(stats.limitsHit, 'connections');
  clock.advance(1_000);
  expect(lines()).toEqual([{ limit: 'connections', hits: 1 }]);
  for (let second = 0; second < 59; second++) {
    count(stats.limitsHit, 'connections', 100);
    clock.advance(1_000);
  }
  count(stats.limitsHit, 'connectionsPerIp', 3);
  stats.rateLimited = 7;
  expect(lines()).toEqual([]);
  clock.advance(1_000);
  expect(lines()).toEqual([
    { limit: 'connections', hits: 5_900 },
    { limit: 'connectionsPerIp', hits: 3 },
    { limit: 'rates of a connection', hits: 7 },
  ]);
  clock.advance(300_000);
  expect(lines()).toEqual([]);
});

it('tells what it has seen when the gateway ends', () => {
  const { stats, log, lines } = setUp();
  count(stats.limitsHit, 'connectsPerSecond');
  log.close();
  expect(lines()).toEqual([{ limit: 'connectsPerSecond', hits: 1 }]);
});
