import fc from 'fast-check';
import { CHANNELS, CLIENTS, GATEWAYS, type Step } from './run.js';

const channel = fc.nat(CHANNELS.length - 1);
const client = fc.nat(CLIENTS - 1);
const gateway = fc.nat(GATEWAYS - 1);

const publish = fc.record(
  {
    do: fc.constant('publish' as const),
    channel,
    gateway,
    count: fc.integer({ min: 1, max: 6 }),
    key: fc.nat(2),
  },
  { requiredKeys: ['do', 'channel', 'gateway', 'count'] },
);

/** What a gateway is told of. */
const honest: fc.WeightedArbitrary<Step>[] = [
  { weight: 8, arbitrary: publish },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('settle' as const), steps: fc.integer({ min: 1, max: 25 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(10, 200, 700, 3_000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('toggle' as const), client, channel }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'freeze' as const, 'thaw' as const), client }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('interrupt' as const, 'unsubscribe' as const, 'resume' as const, 'doubt' as const),
      gateway,
      channel,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('refuse' as const, 'veto' as const), gateway, channel }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('fork' as const), channel, lost: fc.nat(3), noticed: fc.constant(true) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), channel, kept: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('kill' as const), gateway }) },
];

/** What happens behind its back. */
const hidden: fc.WeightedArbitrary<Step>[] = [
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('lose' as const, 'depose' as const), gateway, channel }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('fork' as const), channel, lost: fc.nat(3), noticed: fc.constant(false) }),
  },
];

const script = (kinds: fc.WeightedArbitrary<Step>[]): fc.Arbitrary<readonly Step[]> =>
  fc.array(fc.oneof(...kinds), { minLength: 12, maxLength: 60, size: 'max' });

/** Everybody is on the first channel, then anything happens. */
export const steps: fc.Arbitrary<readonly Step[]> = fc
  .oneof(script(honest), script([...honest, ...hidden]))
  .map((rest) => [
    { do: 'toggle', client: 0, channel: 0 },
    { do: 'toggle', client: 1, channel: 0 },
    { do: 'toggle', client: 2, channel: 0 },
    { do: 'settle', steps: 60 },
    ...rest,
  ]);

export const choices: fc.Arbitrary<readonly number[]> = fc.array(fc.nat(1023), {
  minLength: 40,
  maxLength: 80,
  size: 'max',
});
