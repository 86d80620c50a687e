/** Computes what each gateway and each Redis master of a fleet has to do for a load, from the costs. */
import type { Costs, RedisCosts } from './costs.js';
import { type Load, mastersOfShards, type Population, placeConnections, populate } from './placement.js';

interface GatewayLoad {
  readonly connections: number;
  /** How many subscriptions its connections have to channels. */
  readonly subscriptions: number;
  /** How many channels are alive on it, which means that they have subscribers there. */
  readonly channels: number;
  /** How many messages Redis pushes to it in a second. */
  readonly pushes: number;
  /** How many times a message leaves for a subscriber in a second. */
  readonly deliveries: number;
  /** CPU time that it needs, as a share of one core. */
  readonly cpu: number;
  readonly memoryBytes: number;
  /** Bytes that it writes to subscribers in a second. */
  readonly outputBytes: number;
}

interface MasterLoad {
  /** How many publishes it takes in a second. */
  readonly publishes: number;
  /** How many messages it pushes in a second, to all gateways together. */
  readonly pushes: number;
  /** How many channels are alive on gateways. A channel counts once for each gateway. */
  readonly channels: number;
  /** CPU time that it needs, as a share of one core. */
  readonly cpu: number;
  /** Bytes that it writes in a second. */
  readonly outputBytes: number;
}

export interface Simulation {
  readonly gateways: readonly GatewayLoad[];
  readonly masters: readonly MasterLoad[];
}

/** Simulates a load. The same `seed` gives the same fleet. */
export function simulate(load: Load, costs: Costs, seed = 1, population: Population = populate(load)): Simulation {
  const { rates, shards, shares } = population;
  const masters = Array.from({ length: load.masters }, () => ({ publishes: 0, pushes: 0, channels: 0 }));
  const homes = mastersOfShards(load.masters);
  const homeOf = (rank: number) => at(masters, homes[shards[rank] as number]);
  for (const [rank, rate] of rates.entries()) homeOf(rank).publishes += rate;

  const gateways = Array.from({ length: load.gateways }, () => ({
    connections: 0,
    subscriptions: 0,
    channels: 0,
    pushes: 0,
    deliveries: 0,
  }));
  // This says which gateways have a channel, with a bit for each pair.
  const alive = new Uint8Array(Math.ceil((load.gateways * load.channels) / 8));
  for (const { gateway, ranks } of placeConnections(load, seed, shares)) {
    const own = at(gateways, gateway);
    own.connections++;
    own.subscriptions += ranks.length;
    for (const rank of ranks) {
      const rate = rates[rank] as number;
      own.deliveries += rate;
      const pair = gateway * load.channels + rank;
      const bit = 1 << (pair & 7);
      const byte = Math.floor(pair / 8);
      if (((alive[byte] as number) & bit) !== 0) continue;
      alive[byte] = (alive[byte] as number) | bit;
      own.channels++;
      own.pushes += rate;
      const home = homeOf(rank);
      home.channels++;
      home.pushes += rate;
    }
  }
  const publishes = load.messagesPerSecond / load.gateways;
  return {
    gateways: gateways.map((one) => ({
      ...one,
      cpu: gatewayCpu({ ...one, publishes }, costs),
      memoryBytes:
        costs.gatewayBytes.process +
        one.connections * costs.gatewayBytes.connection +
        one.subscriptions * costs.gatewayBytes.subscription +
        one.channels * costs.gatewayBytes.channel,
      outputBytes: one.deliveries * costs.deliveryBytes,
    })),
    masters: masters.map((one) => ({
      ...one,
      cpu: masterTotal({ ...one, gateways: load.gateways }, costs.redisUs) / 1e6,
      outputBytes: masterTotal({ ...one, gateways: load.gateways }, costs.redisOutputBytes),
    })),
  };
}

type GatewayWork = Pick<GatewayLoad, 'connections' | 'channels' | 'pushes' | 'deliveries'> & {
  readonly publishes: number;
};

/**
 * Returns the CPU time of a gateway, as a share of one core. Whatever comes while the gateway sleeps wakes it; what
 * comes while it is at work is taken along. If events come independently of each other, the share of them that finds it
 * at work is the share of the time for which it is at work.
 */
function gatewayCpu(work: GatewayWork, { gatewayUs }: Costs): number {
  const microseconds =
    gatewayUs.second +
    work.connections * gatewayUs.connectionSecond +
    work.channels * gatewayUs.channelSecond +
    work.publishes * gatewayUs.publish +
    work.pushes * gatewayUs.push +
    work.deliveries * gatewayUs.delivery;
  const busy = microseconds / 1e6;
  if (busy >= 1) return busy;
  // cpu = busy + events x (1 - cpu) x wakeup
  const waking = (eventsOf(work) * gatewayUs.wakeup) / 1e6;
  return (busy + waking) / (1 + waking);
}

/**
 * Returns how many events come in a second: a publish and the reply to it each come by themselves, and so does what is
 * pushed.
 */
function eventsOf({ publishes, pushes }: GatewayWork): number {
  return 2 * publishes + pushes;
}

type MasterWork = Pick<MasterLoad, 'publishes' | 'pushes' | 'channels'> & { readonly gateways: number };

function masterTotal(work: MasterWork, each: RedisCosts): number {
  return (
    each.second +
    work.gateways * each.gatewaySecond +
    work.publishes * each.publish +
    work.pushes * each.push +
    work.channels * each.channelSecond
  );
}

function at<T>(list: readonly T[], index: number | undefined): T {
  return list[index as number] as T;
}
