/** How good the simulation is: its prediction beside a real run of a small fleet. */

import { seededRandom } from '../random.js';
import { pinSelf } from '../servers/server-process.js';
import type { Costs } from './costs.js';
import { Fleet, type FleetRun } from './fleet.js';
import { channelName, type Load, placeConnections, publishRates, sampler } from './placement.js';
import { simulate } from './simulate.js';

export interface Prediction {
  readonly what: string;
  readonly unit: 'core' | 'B/s';
  readonly predicted: number;
  readonly measured: number;
}

interface PredictPlan {
  readonly load: Omit<Load, 'messagesPerSecond'>;
  readonly messages: number;
  /** Messages a second, published at random times, as by users who do not know of each other. */
  readonly rate: number;
  readonly seed: number;
}

/** Messages that go through each gateway before the run is measured, while connections settle and code is compiled. */
const WARM_MESSAGES = 4_000;
/** How many of those are under way at once, for each gateway. */
const WARM_IN_FLIGHT = 32;

/**
 * The same subscribers on the same gateways as in the simulation, and as many messages a second as the run had.
 */
export async function predictAndMeasure(
  { load, messages, rate, seed }: PredictPlan,
  costs: Costs,
): Promise<{ readonly messagesPerSecond: number; readonly rows: readonly Prediction[] }> {
  pinSelf();
  const fleet = await Fleet.start(load.masters);
  try {
    await fleet.grow(load.gateways);
    const subscribers = [...placeConnections({ ...load, messagesPerSecond: 0 }, seed)];
    const crowd = await fleet.gather(
      subscribers.map(({ gateway, ranks }) => ({ gateway, channels: ranks.map(channelName) })),
    );
    const random = seededRandom(seed);
    const draw = sampler(publishRates({ ...load, messagesPerSecond: 1 }), random);
    const run = (
      count: number,
      pace: { readonly inFlight: number } | { readonly gapMs: () => number },
    ): Promise<FleetRun> => {
      const ranks = Array.from({ length: count }, draw);
      // A channel is always published to through the same gateway, because only then its messages have an order.
      const through = (index: number) => (ranks[index] as number) % load.gateways;
      return fleet.run(crowd, ranks.map(channelName), { through, ...pace });
    };
    await run(WARM_MESSAGES * load.gateways, { inFlight: WARM_IN_FLIGHT * load.gateways });
    // Gaps between events of a Poisson process.
    const gapMs = () => (-Math.log(1 - random()) * 1000) / rate;
    const { seconds, ...spent } = await run(messages, { gapMs });
    crowd.pool.close();
    const messagesPerSecond = messages / seconds;
    const { gateways, masters } = simulate({ ...load, messagesPerSecond }, costs, seed);
    const sum = (list: readonly number[]) => list.reduce((total, one) => total + one, 0);
    const cores = gateways.map(({ cpu }) => cpu);
    const used = spent.gatewaysUs.map((one) => one / 1e6 / seconds);
    return {
      messagesPerSecond,
      rows: [
        { what: 'CPU of all gateways', unit: 'core', predicted: sum(cores), measured: sum(used) },
        {
          what: 'CPU of the busiest gateway',
          unit: 'core',
          predicted: Math.max(...cores),
          measured: Math.max(...used),
        },
        {
          what: 'CPU of all masters',
          unit: 'core',
          predicted: sum(masters.map(({ cpu }) => cpu)),
          measured: spent.redisUs / 1e6 / seconds,
        },
        {
          what: 'output of all masters',
          unit: 'B/s',
          predicted: sum(masters.map(({ outputBytes }) => outputBytes)),
          measured: spent.redisOutputBytes / seconds,
        },
      ],
    };
  } finally {
    await fleet.stop();
  }
}
