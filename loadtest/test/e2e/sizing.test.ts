import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../bin/fanfare-load.mjs', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-sizing-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function sizing(...args: readonly string[]) {
  return spawnSync(process.execPath, [PROGRAM, 'sizing', ...args], { encoding: 'utf8', timeout: 110_000 });
}

it('a real fleet does what its simulation counts: every message reaches every subscriber, and Redis sends the bytes', {
  timeout: 120_000,
}, () => {
  const json = path.join(folder, 'check.json');
  const fleet = ['--gateways', '2', '--masters', '1', '--connections', '40', '--channels', '20'];
  const { status, stderr } = sizing('check', ...fleet, '--messages', '2000', '--json', json);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const { rows } = JSON.parse(readFileSync(json, 'utf8')) as {
    rows: { what: string; predicted: number; measured: number }[];
  };
  expect(rows).toHaveLength(4);
  for (const { predicted, measured } of rows) {
    expect(predicted).toBeGreaterThan(0);
    expect(measured).toBeGreaterThan(0);
  }
  // Bytes are counted, not timed: how busy the machine is changes them little.
  const { predicted = 0, measured = 1 } = rows.find(({ what }) => what.startsWith('output')) ?? {};
  expect(predicted / measured).toBeGreaterThan(0.7);
  expect(predicted / measured).toBeLessThan(1.4);
});

it('simulates without starting anything, the same for the same seed', () => {
  const args = ['simulate', '--connections', '2000', '--channels', '100', '--messages', '50'];
  const first = sizing(...args);
  expect(first.status).toBe(0);
  expect(first.stdout).toMatch(/^1 gateways, 1 masters, 2,000 connections, 100 channels/);
  expect(sizing(...args).stdout).toBe(first.stdout);
});

it.each([[[]], [['nonsense']], [['simulate', '--gateways', '0']], [['simulate', '--skew', 'much']]])(
  'refuses %j with its usage',
  (args) => {
    const { status, stderr } = sizing(...args);
    expect(status).toBe(2);
    expect(stderr).toContain('fanfare-load sizing <what>');
  },
);

it('says what is wrong with a file of costs', () => {
  const file = path.join(folder, 'costs.json');
  writeFileSync(file, '{"gatewayUs":{"publish":-1}}');
  const { status, stderr } = sizing('table', '--costs', file);
  expect(status).toBe(1);
  expect(stderr).toContain(`${file} holds no costs`);
  expect(stderr).toContain('gatewayUs.publish');
});
