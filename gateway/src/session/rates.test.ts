import { expect, it } from 'vitest';
import { isUnlimited, Rates } from './rates.js';

const LIMITS = { commandsPerSecond: 2, bytesPerSecond: 100, publishesPerSecond: 1 };
const COMMAND = { bytes: 1, isCommand: true, isPublish: false };

it('grants as many commands at once as a second allows, then says when the next would be', () => {
  const rates = new Rates(LIMITS, 0);
  expect([rates.take(COMMAND, 0), rates.take(COMMAND, 0)]).toEqual([0, 0]);
  expect(rates.take(COMMAND, 0)).toBe(500);
  expect(rates.take(COMMAND, 250)).toBe(250);
  expect(rates.take(COMMAND, 500)).toBe(0);
});

it('counts bytes of every frame, publishes apart', () => {
  const rates = new Rates(LIMITS, 0);
  const frame = { bytes: 60, isCommand: false, isPublish: false };
  expect(rates.take(frame, 0)).toBe(0);
  expect(rates.take(frame, 0)).toBe(200);
  const publish = { bytes: 1, isCommand: true, isPublish: true };
  expect(rates.take(publish, 0)).toBe(0);
  expect(rates.take(publish, 0)).toBe(1_000);
});

it('a frame larger than a second allows passes when nothing is owed, and is paid back', () => {
  const rates = new Rates(LIMITS, 0);
  const large = { bytes: 300, isCommand: false, isPublish: false };
  expect(rates.take(large, 0)).toBe(0);
  expect(rates.take({ ...large, bytes: 1 }, 0)).toBe(2_010);
});

it('a limit that is off never refuses, and only all of them together need no counting', () => {
  const off = Number.POSITIVE_INFINITY;
  const rates = new Rates({ ...LIMITS, commandsPerSecond: off }, 0);
  for (let index = 0; index < 50; index++) expect(rates.take(COMMAND, 0)).toBe(0);
  expect(isUnlimited(LIMITS)).toBe(false);
  expect(isUnlimited({ commandsPerSecond: off, bytesPerSecond: off, publishesPerSecond: off })).toBe(true);
});
