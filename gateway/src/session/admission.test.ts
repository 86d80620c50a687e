import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.js';
import { createStats } from '../stats.js';
import { Admission, tooManyReason, UNLIMITED } from './admission.js';

function setUp(limits: Partial<typeof UNLIMITED>) {
  const clock = new ManualClock();
  const stats = createStats();
  return { clock, stats, admission: new Admission({ ...UNLIMITED, ...limits }, clock, stats) };
}

it('takes as many connections as it may, of all and of an address, and counts by which limit it refused', () => {
  const { admission, stats } = setUp({ connections: 10, connectionsPerIp: 3 });
  expect(admission.refusal(9, 2)).toBeUndefined();
  expect(admission.refusal(10, 0)).toMatchObject({ code: 'limit_exceeded' });
  expect(admission.refusal(5, 3)).toMatchObject({ code: 'limit_exceeded' });
  expect(Object.fromEntries(stats.limitsHit)).toEqual({ connections: 1, connectionsPerIp: 1 });
});

it('takes so many a second, and asks the others to come back later, each at another time', () => {
  const { admission, clock } = setUp({ connectsPerSecond: 2 });
  expect([admission.refusal(0, 0), admission.refusal(1, 1)]).toEqual([undefined, undefined]);
  const refused = admission.refusal(2, 2);
  expect(refused?.retryAfterMs).toBe(500 + 2_500);
  expect(JSON.parse(tooManyReason(refused as never))).toEqual({ retryAfter: 3_000 });
  clock.advance(500);
  expect(admission.refusal(2, 2)).toBeUndefined();
});

it('takes so many of a user, and so many of its publishes', () => {
  const { admission, stats } = setUp({
    connectionsPerUser: 2,
    publishesPerSecondPerUser: 1,
    commandsPerSecondPerUser: 3,
  });
  expect(admission.userRefusal(1)).toBeUndefined();
  expect(admission.userRefusal(2)).toMatchObject({ code: 'limit_exceeded' });
  const rates = admission.newUserRates();
  const publish = () => admission.userWaitMs(rates, { bytes: 1, isCommand: true, isPublish: true });
  const other = () => admission.userWaitMs(rates, { bytes: 1, isCommand: true, isPublish: false });
  const pong = () => admission.userWaitMs(rates, { bytes: 1, isCommand: false, isPublish: false });
  expect([publish(), publish(), other(), other(), pong()]).toEqual([0, 1_000, 0, 334, 0]);
  expect(Object.fromEntries(stats.limitsHit)).toEqual({
    connectionsPerUser: 1,
    publishesPerSecondPerUser: 1,
    commandsPerSecondPerUser: 1,
  });
});

it('refuses nobody where there is no limit', () => {
  const { admission } = setUp({});
  for (let n = 0; n < 1_000; n++) expect(admission.refusal(n, n)).toBeUndefined();
  expect(admission.userRefusal(1_000)).toBeUndefined();
});

it('lets so many channels become alive a second, and everyone wait for few', () => {
  const { admission, clock, stats } = setUp({ channelsPerSecond: 2 });
  expect([admission.channelWaitMs(500), admission.channelWaitMs(500)]).toEqual([0, 0]);
  // By then the budget is spent: 16 at a time are anybody's.
  expect([admission.channelWaitMs(0), admission.channelWaitMs(15)]).toEqual([0, 0]);
  expect(admission.channelWaitMs(16)).toBe(500 + 2_500);
  expect(Object.fromEntries(stats.limitsHit)).toEqual({ channelsPerSecond: 1 });
  clock.advance(500);
  expect(admission.channelWaitMs(16)).toBe(0);
});
