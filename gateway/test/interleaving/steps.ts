import fc from 'fast-check';
import { CLIENTS, GATEWAYS, type Step } from './run.js';

/** The first one most of the time: what happens to one channel at once is what matters. */
const channel = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constant(1) },
  { weight: 2, arbitrary: fc.constant(2) },
  { weight: 2, arbitrary: fc.constant(3) },
);
const client = fc.nat(CLIENTS - 1);
const gateway = fc.nat(GATEWAYS - 1);

const kind = <const Name extends string>(name: Name) => ({ do: fc.constant(name) });

const publish = fc.record(
  { ...kind('publish'), channel, gateway, count: fc.integer({ min: 1, max: 6 }), key: fc.nat(2) },
  { requiredKeys: ['do', 'channel', 'gateway', 'count'] },
);
const send = fc.record(
  { ...kind('send'), channel, client, count: fc.integer({ min: 1, max: 4 }), key: fc.nat(2) },
  { requiredKeys: ['do', 'channel', 'client', 'count'] },
);
const settle = fc.record({ ...kind('settle'), steps: fc.integer({ min: 1, max: 25 }) });
const pass = fc.record({ ...kind('pass'), ms: fc.constantFrom(10, 200, 700, 3_000) });
const rewind = fc.oneof(
  fc.record({ rewind: fc.nat(6) }),
  fc.record({ rewindMs: fc.constantFrom(0, 100, 1_000, 10_000) }),
);
const leave = fc.record({ ...kind('leave'), client, channel });
const ask = fc.record({
  ...kind('ask'),
  client,
  channel,
  from: fc.constantFrom('after' as const, 'before' as const, 'newest' as const),
  limit: fc.integer({ min: 1, max: 6 }),
});

/** Nothing breaks. */
const calm: fc.WeightedArbitrary<Step>[] = [
  { weight: 6, arbitrary: publish },
  { weight: 3, arbitrary: send },
  { weight: 5, arbitrary: settle },
  { weight: 2, arbitrary: pass },
  {
    weight: 3,
    arbitrary: fc.record(
      { ...kind('join'), client, channel, beginning: rewind },
      { requiredKeys: ['do', 'client', 'channel'] },
    ),
  },
  { weight: 1, arbitrary: leave },
  { weight: 1, arbitrary: ask },
];

/** What a gateway is told of. */
const honest: fc.WeightedArbitrary<Step>[] = [
  { weight: 6, arbitrary: publish },
  { weight: 3, arbitrary: send },
  { weight: 5, arbitrary: settle },
  { weight: 3, arbitrary: pass },
  {
    weight: 4,
    arbitrary: fc.record(
      {
        ...kind('join'),
        client,
        channel,
        beginning: fc.oneof(
          { weight: 2, arbitrary: rewind },
          { weight: 2, arbitrary: fc.constant('seen' as const) },
          { weight: 1, arbitrary: fc.constant('unknown' as const) },
        ),
        isSlow: fc.boolean(),
      },
      { requiredKeys: ['do', 'client', 'channel'] },
    ),
  },
  { weight: 2, arbitrary: leave },
  { weight: 2, arbitrary: fc.record({ ...kind('read'), client, count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: ask },
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
    arbitrary: fc.record({ ...kind('fork'), channel, lost: fc.nat(3), noticed: fc.constant(true) }),
  },
  { weight: 1, arbitrary: fc.record({ ...kind('trim'), channel, kept: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ ...kind('kill'), gateway }) },
];

/** What happens behind its back. */
const hidden: fc.WeightedArbitrary<Step>[] = [
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('lose' as const, 'depose' as const), gateway, channel }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ ...kind('fork'), channel, lost: fc.nat(3), noticed: fc.constant(false) }),
  },
];

const script = (kinds: fc.WeightedArbitrary<Step>[]): fc.Arbitrary<readonly Step[]> =>
  fc.array(fc.oneof(...kinds), { minLength: 12, maxLength: 60, size: 'max' });

/** Everybody is on the first channel, then anything happens. */
export const steps: fc.Arbitrary<readonly Step[]> = fc
  .oneof(
    { weight: 4, arbitrary: script(honest) },
    { weight: 4, arbitrary: script([...honest, ...hidden]) },
    { weight: 1, arbitrary: script(calm) },
  )
  .map((rest) => [
    { do: 'join', client: 0, channel: 0 },
    { do: 'join', client: 1, channel: 0 },
    { do: 'join', client: 2, channel: 0 },
    { do: 'settle', steps: 60 },
    ...rest,
  ]);

export const choices: fc.Arbitrary<readonly number[]> = fc.array(fc.nat(1023), {
  minLength: 40,
  maxLength: 80,
  size: 'max',
});
