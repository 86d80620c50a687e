/** Measures what things cost: real gateways over real Redis servers, on this machine. */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReaderPool } from '../generators/reader-pool.js';
import { mean } from '../report/statistics.js';
import { startFanfare } from '../servers/contender.js';
import { pinSelf } from '../servers/server-process.js';
import { startRedis } from '../topology/redis-servers.js';
import type { Costs } from './costs.js';
import { Fleet, type FleetRun, subscribeTo } from './fleet.js';
import { fitSlopes, type Observation } from './least-squares.js';
import { channelName } from './placement.js';
import { watchSpent } from './spent.js';

interface MeasurePlan {
  readonly print: (line: string) => void;
  /** How many messages a run has. */
  readonly messages: number;
  /** How many messages are under way at once, to different channels. A gateway at work has several in each turn. */
  readonly inFlight: number;
  /** How many messages a run with one message under way has. Each message wakes its gateway several times. */
  readonly lonelyMessages: number;
  /** How many connections of each kind there are in the measurement of idle ones. */
  readonly connections: number;
  /** How long idle connections are watched, ms: 30 s see one audit of each channel, and a ping of each connection. */
  readonly idleMs: number;
}

const GATEWAYS = [1, 2, 4] as const;
const MASTERS = [1, 3] as const;
const CHANNELS = 64;
/**
 * How many subscribers a channel has on each gateway that it is on, and on how many of all gateways it is. Each set has
 * channels of its own, because a gateway stays subscribed for some seconds after the last subscriber has left.
 */
const SUBSCRIBER_SETS = [
  { name: 'no subscribers', subscribers: 0, on: (_: number) => 0 },
  { name: 'one subscriber on one gateway', subscribers: 1, on: (_: number) => 1 },
  { name: 'one subscriber on each gateway', subscribers: 1, on: (gateways: number) => gateways },
  { name: '10 subscribers on each gateway', subscribers: 10, on: (gateways: number) => gateways },
] as const;
const IDLE_FLEET_MS = 4_000;
const SETTLE_MS = 500;
/** How many messages each gateway takes before it is measured, as a multiple of those of a run. */
const WARM_RUNS = 4;

/** One row of the measurement, as it is printed and kept. */
interface Measured {
  readonly masters: number;
  readonly gateways: number;
  readonly subscribers: string;
  /** How many gateways have subscribers on the channel. */
  readonly reached: number;
  /** How many messages are under way at once. */
  readonly inFlight: number;
  readonly deliveriesPerPublish: number;
  /** CPU time of the gateway that takes the publishes, us for each publish, without the costs of an idle gateway. */
  readonly publishingUs: number;
  /** How often the gateway that takes the publishes slept until something came, for each publish. */
  readonly wakeups: number;
  /** CPU time of each other gateway on average, us for each publish, without the costs of an idle gateway. */
  readonly othersUs: number | undefined;
  readonly redisUs: number;
  readonly redisOutputBytes: number;
}

interface Observations {
  readonly gateway: Observation[];
  readonly redis: Observation[];
  readonly output: Observation[];
}

export async function measureCosts(plan: MeasurePlan): Promise<{ costs: Costs; rows: Measured[] }> {
  pinSelf();
  const rows: Measured[] = [];
  const seen: Observations = { gateway: [], redis: [], output: [] };
  const idle: IdleFleet[] = [];
  const frames: number[] = [];
  for (const masters of MASTERS) await measureFleet(masters, plan, { rows, seen, idle, frames });
  const resting = await measureIdle(plan);
  const [gateway, redis, output] = [fitSlopes(seen.gateway), fitSlopes(seen.redis), fitSlopes(seen.output)];
  const redisCosts = (name: 'redisUs' | 'redisOutputBytes', slopes: readonly number[]) => ({
    second: mean(idle.map((one) => one.empty[name])),
    gatewaySecond: mean(idle.map((one) => one.perGateway[name])),
    publish: slopes[0] as number,
    push: slopes[1] as number,
    channelSecond: resting.channel[name],
  });
  const costs: Costs = {
    measuredOn: describeMachine(),
    gatewayUs: {
      second: mean(idle.map((one) => one.gatewayUs)),
      connectionSecond: resting.connectionUs,
      channelSecond: resting.channel.gatewayUs,
      publish: gateway.slopes[0] as number,
      push: gateway.slopes[1] as number,
      delivery: gateway.slopes[2] as number,
      wakeup: gateway.slopes[3] as number,
    },
    gatewayBytes: resting.bytes,
    deliveryBytes: mean(frames) + HEADER_BYTES,
    redisUs: redisCosts('redisUs', redis.slopes),
    redisOutputBytes: redisCosts('redisOutputBytes', output.slopes),
    fitError: { gatewayUs: gateway.error, redisUs: redis.error, redisOutputBytes: output.error },
  };
  return { costs, rows };
}

/** Bytes that Ethernet, IP and TCP put around a frame that leaves alone. */
const HEADER_BYTES = 66;

/** What a fleet that nobody uses spends every second. What Redis spends is that of each master. */
interface IdleFleet {
  readonly gatewayUs: number;
  readonly wakeups: number;
  readonly empty: PerMaster;
  readonly perGateway: PerMaster;
}

interface PerMaster {
  readonly redisUs: number;
  readonly redisOutputBytes: number;
}

async function measureFleet(
  masters: number,
  { messages, inFlight, lonelyMessages, print }: MeasurePlan,
  { rows, seen, idle, frames }: { rows: Measured[]; seen: Observations; idle: IdleFleet[]; frames: number[] },
): Promise<void> {
  const company = { messages, inFlight };
  const lonely = { messages: lonelyMessages, inFlight: 1 };
  const fleet = await Fleet.start(masters);
  const perMaster = ({ redisUs, redisOutputBytes, seconds }: FleetRun): PerMaster => ({
    redisUs: redisUs / seconds / masters,
    redisOutputBytes: redisOutputBytes / seconds / masters,
  });
  try {
    const empty = perMaster(await fleet.idle(IDLE_FLEET_MS));
    for (const gateways of GATEWAYS) {
      await fleet.grow(gateways);
      const warm = await fleet.gather(subscribersOf(WARM_CHANNELS, gateways, 2));
      // The run goes on until code is compiled, which V8 does on the same core.
      await fleet.run(warm, [...inTurn(WARM_CHANNELS, WARM_RUNS * gateways * messages), ...ALL_CHANNELS], {
        through: (index) => index % gateways,
        inFlight,
      });
      warm.pool.close();
      await sleep(SETTLE_MS);
      const resting = await fleet.idle(IDLE_FLEET_MS);
      const now = perMaster(resting);
      const own = {
        gatewayUs: mean(resting.gatewaysUs) / resting.seconds,
        wakeups: mean(resting.gatewaysWakeups) / resting.seconds,
        empty,
        perGateway: {
          redisUs: Math.max(0, now.redisUs - empty.redisUs) / gateways,
          redisOutputBytes: Math.max(0, now.redisOutputBytes - empty.redisOutputBytes) / gateways,
        },
      };
      idle.push(own);
      for (const [set, { name, subscribers, on }] of SUBSCRIBER_SETS.entries()) {
        const channels = channelsOf(set);
        const reached = on(gateways);
        // If there are two gateways or more, the one that is reached is not the one that takes the publishes.
        const first = gateways - Math.max(1, reached);
        const crowd = await fleet.gather(subscribersOf(channels, reached, subscribers, first));
        for (const { messages, inFlight } of [company, lonely]) {
          const run = await fleet.run(crowd, inTurn(channels, messages), { through: () => 0, inFlight });
          const where = { masters, gateways, set: name, subscribers, reached, first, messages, inFlight };
          const row = observe(run, where, { ...own, master: now }, seen);
          rows.push(row);
          print(describeRow(row));
        }
        crowd.pool.close();
        await sleep(SETTLE_MS);
      }
    }
    frames.push(await fleet.bytesPerDelivery());
  } finally {
    await fleet.stop();
  }
}

/** Which run of the measurement a run is. */
interface RunPlace {
  readonly masters: number;
  readonly gateways: number;
  /** The name of the set of subscribers. */
  readonly set: string;
  /** How many subscribers each channel has on each gateway that it is on. */
  readonly subscribers: number;
  /** How many gateways have subscribers, from the `first` on. */
  readonly reached: number;
  readonly first: number;
  readonly messages: number;
  readonly inFlight: number;
}

/** Takes off a run what the fleet spends while it is idle, adds it to what was seen, and returns its row. */
function observe(
  run: FleetRun,
  { masters, gateways, set, subscribers, reached, first, messages, inFlight }: RunPlace,
  idle: Pick<IdleFleet, 'gatewayUs' | 'wakeups'> & { readonly master: PerMaster },
  seen: Observations,
): Measured {
  const gatewaysUs = run.gatewaysUs.map((used) => Math.max(0, used - idle.gatewayUs * run.seconds));
  for (const [gateway, value] of gatewaysUs.entries()) {
    const isReached = gateway >= first && gateway < first + reached;
    const published = gateway === 0 ? messages : 0;
    const pushes = isReached ? messages : 0;
    if (published + pushes === 0) continue;
    const wakeups = Math.max(0, (run.gatewaysWakeups[gateway] as number) - idle.wakeups * run.seconds);
    seen.gateway.push({ factors: [published, pushes, pushes * subscribers, wakeups], value });
  }
  const ofMasters = (name: keyof PerMaster) => Math.max(0, run[name] - idle.master[name] * masters * run.seconds);
  const redisUs = ofMasters('redisUs');
  const redisOutputBytes = ofMasters('redisOutputBytes');
  if (inFlight > 1) {
    const factors = [messages, messages * reached];
    // A master that stands alone takes half of what masters of a cluster do, because those see fewer messages in one
    // read.
    if (masters > 1) seen.redis.push({ factors, value: redisUs });
    seen.output.push({ factors, value: redisOutputBytes });
  }
  const others = gatewaysUs.slice(1);
  return {
    masters,
    gateways,
    subscribers: set,
    reached,
    inFlight,
    deliveriesPerPublish: run.delivered / messages,
    publishingUs: (gatewaysUs[0] as number) / messages,
    wakeups: (run.gatewaysWakeups[0] as number) / messages,
    othersUs: others.length > 0 ? mean(others) / messages : undefined,
    redisUs: redisUs / messages,
    redisOutputBytes: redisOutputBytes / messages,
  };
}

function describeRow(row: Measured): string {
  const others = row.othersUs === undefined ? '' : `, each other gateway ${row.othersUs.toFixed(0)} us`;
  return `${row.masters} masters, ${row.gateways} gateways, ${row.subscribers}, ${row.inFlight} in flight: a publish costs its gateway ${row.publishingUs.toFixed(0)} us and ${row.wakeups.toFixed(1)} wake-ups${others}, Redis ${row.redisUs.toFixed(1)} us and ${row.redisOutputBytes.toFixed(0)} B of output`;
}

function channelsOf(set: number): readonly string[] {
  return Array.from({ length: CHANNELS }, (_, index) => channelName(set * CHANNELS + index));
}

const WARM_CHANNELS = channelsOf(SUBSCRIBER_SETS.length);
/** The channels of every set. A first message to each makes its log. */
const ALL_CHANNELS = SUBSCRIBER_SETS.flatMap((_, set) => channelsOf(set));

function* subscribersOf(channels: readonly string[], gateways: number, subscribers: number, first = 0) {
  for (let gateway = first; gateway < first + gateways; gateway++) {
    for (const channel of channels) {
      for (let subscriber = 0; subscriber < subscribers; subscriber++) yield { gateway, channels: [channel] };
    }
  }
}

function inTurn(channels: readonly string[], messages: number): string[] {
  return Array.from({ length: messages }, (_, index) => channels[index % channels.length] as string);
}

/**
 * Without this flag V8's young generation would grow while connections are made, however many there are, and be counted
 * as theirs.
 */
const FIXED_YOUNG_GENERATION = ['--max-semi-space-size=1'];
const SHARED_CHANNELS = channelsOf(0).slice(0, 5);

/** Measures connections and channels to which nobody publishes, on one gateway over one Redis. */
async function measureIdle({ connections, idleMs, print }: MeasurePlan) {
  const redis = await startRedis();
  const { server, port } = await startFanfare({ redisPort: redis.node.port, nodeFlags: FIXED_YOUNG_GENERATION });
  const pool = new ReaderPool();
  const stage = async (channelsOf: ((index: number) => readonly string[]) | undefined) => {
    if (channelsOf)
      await pool.open(Array.from({ length: connections }, (_, index) => subscribeTo(port, channelsOf(index))));
    await sleep(SETTLE_MS);
    await server.collectGarbage();
    const bytes = server.residentBytes();
    const spent = await watchSpent([server.pid], [redis.node]);
    return { bytes, spend: () => sleep(idleMs).then(spent) };
  };
  try {
    const start = await stage(undefined);
    await stage(() => SHARED_CHANNELS.slice(0, 1));
    // From here on the gateway is warm: memory that grows is held by connections and channels.
    const none = await stage(undefined);
    const noneSpent = await none.spend();
    const shared = await stage(() => SHARED_CHANNELS.slice(0, 1));
    const several = await stage(() => SHARED_CHANNELS);
    const severalSpent = await several.spend();
    const own = await stage((index) => [`demo:own-${index}`]);
    const ownSpent = await own.spend();
    const per = (after: number, before: number) => Math.max(0, (after - before) / connections);
    const rate = (spent: typeof ownSpent, name: 'redisUs' | 'redisOutputBytes') => spent[name] / spent.seconds;
    const cpu = (spent: typeof ownSpent) => (spent.gatewaysUs[0] as number) / spent.seconds;
    const oneBytes = per(shared.bytes, none.bytes);
    const subscription = Math.max(0, per(several.bytes, shared.bytes) - oneBytes) / (SHARED_CHANNELS.length - 1);
    const connectionUs = per(cpu(severalSpent), cpu(noneSpent)) / 2;
    const costs = {
      connectionUs,
      bytes: {
        process: start.bytes,
        connection: Math.max(0, oneBytes - subscription),
        subscription,
        channel: Math.max(0, per(own.bytes, several.bytes) - oneBytes),
      },
      channel: {
        gatewayUs: Math.max(0, per(cpu(ownSpent), cpu(severalSpent)) - connectionUs),
        redisUs: per(rate(ownSpent, 'redisUs'), rate(severalSpent, 'redisUs')),
        redisOutputBytes: per(rate(ownSpent, 'redisOutputBytes'), rate(severalSpent, 'redisOutputBytes')),
      },
    };
    print(
      `idle: a connection ${costs.bytes.connection.toFixed(0)} B and ${connectionUs.toFixed(2)} us a second, a subscription ${subscription.toFixed(0)} B, a channel ${costs.bytes.channel.toFixed(0)} B and ${costs.channel.gatewayUs.toFixed(2)} us a second`,
    );
    pool.check();
    return costs;
  } finally {
    pool.close();
    await server.stop();
    await redis.stop();
  }
}

function describeMachine(): Costs['measuredOn'] {
  const redis = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout;
  return {
    at: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores`,
    node: process.version,
    redis: /v=(\S+)/.exec(redis)?.[1] ?? 'unknown',
    command: 'fanfare-load sizing measure',
  };
}
