import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { NEW_IDENTITY_MS } from '../broker/broker.js';
import { FrameGuard } from './frame-guard.js';

const LIMITS = { commandsPerSecond: 10, bytesPerSecond: 1_000, publishesPerSecond: 5, subscriptions: 3 };
const OFF = Number.POSITIVE_INFINITY;
const UNLIMITED = { commandsPerSecond: OFF, bytesPerSecond: OFF, publishesPerSecond: OFF, subscriptions: 3 };
const COMMAND = { bytes: 0, isCommand: true, isPublish: false };

function setUp(limits = LIMITS) {
  const clock = new ManualClock();
  return { clock, guard: new FrameGuard(limits, clock) };
}

it('grants what the rates allow, and has no rates where there are no limits', () => {
  const { clock, guard } = setUp();
  for (let n = 0; n < 10; n++) expect(guard.take(COMMAND)).toBe(0);
  expect(guard.take(COMMAND)).toBe(100);
  clock.advance(100);
  expect(guard.take(COMMAND)).toBe(0);
  const { guard: free } = setUp(UNLIMITED);
  for (let n = 0; n < 1_000; n++) expect(free.take({ ...COMMAND, bytes: 1e6, isPublish: true })).toBe(0);
});

it('lets a client come back to as many channels for nothing as it may be on', () => {
  const { guard } = setUp();
  expect(Array.from({ length: 5 }, () => guard.takeFreeResume())).toEqual([true, true, true, false, false]);
});

it('a resume from a position that nobody knows costs what a command costs', () => {
  const { guard } = setUp();
  for (let n = 0; n < 10; n++) guard.resumedInVain();
  expect(guard.take(COMMAND)).toBe(100);
});

it('a connection makes as many new names as it may be on at once, in the time that each is kept', () => {
  const { clock, guard } = setUp();
  for (let n = 0; n < 3; n++) {
    expect(guard.newNamesWaitMs()).toBe(0);
    guard.enteredNew();
  }
  expect(guard.newNamesWaitMs()).toBe(NEW_IDENTITY_MS / 3);
  clock.advance(NEW_IDENTITY_MS / 3);
  expect(guard.newNamesWaitMs()).toBe(0);
  const { guard: free } = setUp(UNLIMITED);
  for (let n = 0; n < 100; n++) free.enteredNew();
  expect(free.newNamesWaitMs()).toBe(0);
});

it('ends who goes on breaking the rules, each kind by itself', () => {
  const { guard } = setUp();
  const until = (breaks: () => boolean) => {
    for (let n = 1; n <= 10_000; n++) if (breaks()) return n;
    return undefined;
  };
  const malformed = until(() => guard.malformed());
  expect(malformed).toBeGreaterThan(1);
  // The other kind begins anew.
  expect(until(() => guard.tooLarge())).toBe(malformed);
  expect(until(() => guard.refused())).toBeGreaterThan(1);
});
