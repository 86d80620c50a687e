import { expect, it } from 'vitest';
import { parseSurviveFlags } from './survive-command.js';

it('runs 1,000 clients for 30 s at 200 messages/s on each transport, 5 % cut and 1 % frozen a second', () => {
  const { plans, times } = parseSurviveFlags([]);
  expect(times).toBe(1);
  expect(plans.map(({ transport }) => transport)).toEqual(['uws', 'ws']);
  for (const plan of plans) {
    expect(plan).toMatchObject({ url: undefined, clients: 1000, seconds: 30, perSecond: 200 });
    expect(plan.trouble).toMatchObject({ cutShare: 0.05, freezeShare: 0.01 });
  }
});

it('runs once on a gateway that runs already', () => {
  const { plans } = parseSurviveFlags(['--url', 'ws://127.0.0.1:8080/ws', '--clients', '7']);
  expect(plans).toMatchObject([{ url: 'ws://127.0.0.1:8080/ws', clients: 7 }]);
});

it.each([
  ['--clients', '0'],
  ['--rate', 'fast'],
  ['--transport', 'tcp'],
  ['--url', 'localhost'],
  ['--nonsense', '1'],
])('refuses %s %s', (...flags) => {
  expect(() => parseSurviveFlags(flags)).toThrow(flags[0]);
});
