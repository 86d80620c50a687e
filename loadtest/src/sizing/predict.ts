/** How good the simulation is: its prediction beside a real run of a small fleet. */

import { seededRandom } from '../random.js';
import { pinSelf } from '../servers/server-process.js';
import type { Costs } from './costs.js';
import { Fleet } from './fleet.js';
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
  /** Messages under way for each gateway. */
  readonly inFlight: number;
  readonly seed: number;
}

/**
 * Part of the messages that are published before the run is measured, while connections settle and code is compiled.
 */
const WARM_SHARE = 0.5;

/**
 * The same subscribers on the same gateways as in the simulation, and as many messages a second as the run had.
 */
export async function predictAndMeasure(
  { load, messages, inFlight, seed }: PredictPlan,
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
    const draw = sampler(publishRates({ ...load, messagesPerSecond: 1 }), seededRandom(seed));
    const drawn = (count: number) => Array.from({ length: count }, draw);
    const run = (ranks: readonly number[]) =>
      fleet.run(crowd, ranks.map(channelName), {
        // A channel is always published to through the same gateway, because only then its messages have an order.
        through: (index) => (ranks[index] as number) % load.gateways,
        inFlight: inFlight * load.gateways,
      });
    await run(drawn(Math.ceil(messages * WARM_SHARE)));
    const { seconds, ...spent } = await run(drawn(messages));
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
