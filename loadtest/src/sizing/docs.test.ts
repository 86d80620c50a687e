import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readCosts, SHIPPED_COSTS } from './costs.js';
import { simulate } from './simulate.js';
import { DEFAULT_LIMITS } from './size.js';
import { costsTable, PROFILE_LOAD, simulationReport, sizingTable } from './tables.js';

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/SIZING.md', import.meta.url)), 'utf8');
const COSTS = readCosts(SHIPPED_COSTS);

// The table takes time, because a million connections are placed a dozen times and more.
it('docs/SIZING.md has the table that is printed', { timeout: 180_000 }, () => {
  expect(PAGE).toContain(`\n\n${sizingTable(COSTS, DEFAULT_LIMITS)}\n\n`);
});

it('docs/SIZING.md has the costs that are shipped', () => {
  expect(PAGE).toContain(`\n\n${costsTable(COSTS)}\n\n`);
});

it('docs/SIZING.md has the worked example that is printed', { timeout: 60_000 }, () => {
  const load = {
    ...PROFILE_LOAD,
    gateways: 100,
    masters: 12,
    connections: 1_000_000,
    channels: 1_000_000,
    messagesPerSecond: 10_000,
  };
  const [, ...shown] = simulationReport(load, simulate(load, COSTS), DEFAULT_LIMITS).split('\n\n');
  expect(PAGE).toContain(shown.join('\n\n'));
});
