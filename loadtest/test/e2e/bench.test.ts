import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { fanfareLoad } from '../support/fanfare-load.js';

const WITHOUT_BASELINE = /replay/;

it.each([
  {
    flags: ['--only', 'fan-out,channels,publishes'],
    groups: ['fan-out durable http', 'many channels', 'durable publishes'],
  },
  {
    flags: ['--redis', '--only', 'publishers,workers,apart,open-loop,joins'],
    groups: [
      '8 publishers, durable',
      'HTTP, one a request, durable',
      'two workers, durable',
      'apart, durable',
      'open loop, durable',
      'joins',
    ],
  },
])(
  'bench $flags measures both servers, and every subscriber receives every message',
  { timeout: 120_000 },
  async ({ flags, groups }) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-bench-test-'));
    const json = path.join(folder, 'bench.json');
    try {
      const { status, stdout, stderr } = await fanfareLoad(['bench', '--quick', ...flags, '--json', json]);
      expect(stderr).toBe('');
      expect(stdout).not.toContain('FAILED');
      expect(status).toBe(0);
      const { rows, faults } = JSON.parse(readFileSync(json, 'utf8')) as {
        rows: { group: string; name: string; unit: string; baseline: number[]; fanfareMedian: number }[];
        faults: unknown[];
      };
      expect(faults).toEqual([]);
      expect(new Set(rows.map((row) => row.group))).toEqual(new Set(groups));
      // A busy machine may sustain no rate at all, and be overloaded by none.
      const rates = rows.filter(({ group, unit }) => unit.endsWith('/s') && !group.startsWith('open loop'));
      for (const { name, baseline, fanfareMedian } of rates) {
        expect(fanfareMedian).toBeGreaterThan(0);
        expect(baseline).toHaveLength(WITHOUT_BASELINE.test(name) ? 0 : 1);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

it.each([
  [['bench', '--quick', '--only', 'fan-out'], / B, 1 in flight /],
  [['compare', '--with', 'fanfare,bare-uws', '--rounds', '50'], /every delivery is counted/],
])(
  'Ctrl-C ends %j with what there is so far, and its servers with it',
  { timeout: 60_000 },
  async (args, interruptAt) => {
    const { status, stdout } = await fanfareLoad(args, interruptAt);
    expect(stdout).toContain('ended early');
    expect(status).toBe(1);
  },
);

it.each([[['bench', '--only', 'nonsense']], [['bench', '--rounds', '0']], [['bench', '--fast']]])(
  'refuses %j with its usage',
  async (args) => {
    const { status, stderr } = await fanfareLoad(args);
    expect(status).toBe(2);
    expect(stderr).toContain('fanfare-load bench');
  },
);
