/** `npm run survive` in short: SDK clients that are cut off and readers that stop lose nothing. */
import { expect, it } from 'vitest';
import { fanfareLoad, measured } from '../support/fanfare-load.js';

/**
 * There are so many bytes that a reader that stops at once misses more than the kernel holds (some 5 MB), and is taken
 * off as too slow.
 */
const FLAGS = ['--clients', '50', '--seconds', '6', '--bytes', '8000', '--freeze', '10', '--cut', '10', '--seed', '7'];
const NOTHING = { lost: 0, duplicated: 0, reordered: 0, corrupted: 0, misplaced: 0, holes: 0, resets: 0, skipped: 0 };

it.each(['uws', 'ws'])('on %s nothing is lost, duplicated or reordered', { timeout: 180_000 }, async (transport) => {
  const { status, stdout, stderr, result } = await measured(['survive', '--transport', transport, ...FLAGS]);
  expect(stderr).toBe('');
  expect(status, stdout).toBe(0);
  const { audit, totals, disturbed, gateway } = result as NonNullable<typeof result>;
  expect(audit).toMatchObject(NOTHING);
  expect(totals.acknowledged).toBe(totals.published);
  expect(totals.acknowledged).toBeGreaterThanOrEqual(2_390);
  expect(totals.received).toBe(25 * totals.acknowledged);
  expect(disturbed.cut).toBeGreaterThan(0);
  expect(disturbed.stalled).toBeGreaterThan(0);
  expect(gateway.counters?.fanfare_lagged_total).toBeGreaterThan(0);
  expect(gateway.counters?.fanfare_resumes_recovered_total).toBeGreaterThan(0);
});

it.each([
  [['--clients', '0'], '--clients takes'],
  [['--rate', 'fast'], '--rate takes'],
  [['--cut', '101'], '--cut takes a percentage'],
  [['--transport', 'tcp'], '--transport knows no tcp'],
  [['--url', 'localhost'], '--url'],
  [['--json', 'x.json'], '--json is for one run'],
  [['--nonsense', '1'], '--nonsense'],
])('refuses %j with its usage', async (flags, message) => {
  const { status, stderr } = await fanfareLoad(['survive', ...flags]);
  expect(stderr).toContain(message);
  expect(stderr).toContain('fanfare-load survive');
  expect(status).toBe(2);
});
