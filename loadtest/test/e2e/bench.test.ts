import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare-load.mjs', import.meta.url));

function fanfareLoad(...args: readonly string[]) {
  return spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8', timeout: 110_000 });
}

it('bench measures both servers, and every subscriber receives every message', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-bench-test-'));
  const json = path.join(folder, 'bench.json');
  try {
    const { status, stdout, stderr } = fanfareLoad(
      'bench',
      '--quick',
      '--only',
      'fan-out,channels,publishes',
      '--json',
      json,
    );
    expect(stderr).toBe('');
    expect(stdout).not.toContain('FAILED');
    expect(status).toBe(0);
    const { rows, faults } = JSON.parse(readFileSync(json, 'utf8')) as {
      rows: { group: string; ratio: number; fanfareCpu: { client: number } }[];
      faults: unknown[];
    };
    expect(faults).toEqual([]);
    expect(new Set(rows.map((row) => row.group))).toEqual(
      new Set(['fan-out durable http', 'fan-out live http', 'many channels', 'durable publishes']),
    );
    for (const row of rows) {
      expect(row.ratio).toBeGreaterThan(0);
      expect(row.fanfareCpu.client).toBeGreaterThan(0);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it.each([[['bench', '--only', 'nonsense']], [['bench', '--rounds', '0']], [['bench', '--fast']]])(
  'refuses %j with its usage',
  (args) => {
    const { status, stderr } = fanfareLoad(...args);
    expect(status).toBe(2);
    expect(stderr).toContain('fanfare-load bench');
  },
);
