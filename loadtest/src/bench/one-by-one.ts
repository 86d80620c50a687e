/** Sections of `fanfare-load bench` that publish as users do: each message in a frame or request of its own. */
import * as bars from '../report/bars.js';
import type { BenchChannel, Contender } from '../servers/contender.js';
import { runInFlight } from './cases/in-flight.js';
import { type Climbed, climb } from './cases/open-loop.js';
import {
  alternate,
  columns,
  describeIntake,
  endIf,
  openLane,
  type Pair,
  SIDES,
  type Side,
  withLanes,
  withPair,
} from './pairs.js';
import { type Bench, WARM_MS } from './plan.js';

/** A way by which messages reach the servers one by one. */
interface Way {
  readonly group: string;
  /** Who publishes, in words. */
  readonly by: string;
  readonly intake: 'websocket' | 'http';
  readonly publishers: number;
  readonly inFlight: readonly number[];
  /** Sizes of payloads, bytes. */
  readonly sizes: readonly number[];
  /** Another gateway, which takes the publishes. */
  readonly apart?: Contender;
}

/** As many connections as messages are in flight at most, so that none waits for the reply to another. */
const HTTP_CONNECTIONS = 128;

export function benchInFlight(bench: Bench): Promise<void> {
  const { inFlight } = bench.plan;
  return byWays(bench, [{ ...oneWebSocket(bench), group: 'in flight', inFlight, sizes: [64, 512] }]);
}

export async function benchPublishers(bench: Bench): Promise<void> {
  const way = oneWebSocket(bench);
  await byWays(bench, [
    { ...way, group: '8 publishers', by: 'eight WebSockets, one message a frame', publishers: 8 },
    {
      ...way,
      group: 'HTTP, one a request',
      by: `${HTTP_CONNECTIONS} keep-alive connections, one message a request`,
      intake: 'http',
      publishers: HTTP_CONNECTIONS,
    },
  ]);
}

/**
 * All workers share the servers' core, and the baseline has one process: it measures what a second worker costs and not
 * what it brings.
 */
export async function benchWorkers(bench: Bench): Promise<void> {
  if (!bench.redis) return bench.report.note('workers: more than one needs Redis (--redis)');
  await byWays(bench, [{ ...oneWebSocket(bench), group: 'two workers' }], { workers: 2 });
}

export async function benchApart(bench: Bench): Promise<void> {
  if (!bench.redis) return bench.report.note('apart: another gateway needs Redis (--redis)');
  const apart = await bench.startPublishingGateway();
  const by = 'one WebSocket of another gateway, one message a frame';
  await byWays(bench, [{ ...oneWebSocket(bench), group: 'apart', by, apart }]).finally(() => apart.server.stop());
}

function oneWebSocket({ plan }: Bench): Omit<Way, 'group'> {
  const by = 'one WebSocket, one message a frame';
  return { by, intake: 'websocket', publishers: 1, inFlight: plan.inFlightOtherwise, sizes: [64] };
}

/** Measures some ways on one pair of servers. */
async function byWays(bench: Bench, ways: readonly Way[], { workers = 1 } = {}): Promise<void> {
  const measure = async (pair: Pair<Contender>) => {
    for (const way of ways) for (const channel of bench.plan.fanoutChannels) await byWay(bench, pair, way, channel);
  };
  await withPair(bench, measure, { workers });
}

async function byWay(bench: Bench, pair: Pair<Contender>, way: Way, channel: BenchChannel): Promise<void> {
  const { plan, report } = bench;
  const { intake, publishers, apart } = way;
  const group = `${way.group}, ${channel.durable ? 'durable' : 'live'}`;
  const fed = describeIntake(bench, intake);
  report.begin(group, `${plan.subscribers} subscribers; published by ${way.by}, so many in flight; ${fed}`);
  await withLanes(bench, pair, { channels: [channel], promptShare: 0.02, intake, publishers, apart }, async (lanes) => {
    for (const side of SIDES) await runInFlight(lanes[side], { inFlight: 32, size: 64 }, plan.longWarmMs);
    for (const size of way.sizes) {
      for (const inFlight of way.inFlight) {
        const results = await alternate(bench, lanes, (lane, isWarmUp) =>
          runInFlight(lane, { inFlight, size }, isWarmUp ? WARM_MS : plan.sliceMs),
        );
        report.add({
          group,
          name: `${size} B, ${inFlight} in flight`,
          unit: 'deliveries/s',
          bar: way.group === 'in flight' ? bars.IN_FLIGHT(inFlight, size) : undefined,
          ...columns(results, (one) => one.deliveriesPerSecond),
        });
        const { baseline, fanfare } = columns(results, (one) => one.cpuMicrosPerMessage);
        report.add({ group, name: '  server CPU a message', unit: 'us', baseline, fanfare });
      }
    }
  });
}

/**
 * Raises the rate on each server in turn until it is not sustained. A server that was overloaded is given new
 * subscribers: the old ones may have been dropped.
 */
export async function benchOpenLoop(bench: Bench): Promise<void> {
  const { plan, report } = bench;
  await withPair(bench, async (pair) => {
    for (const channel of plan.fanoutChannels) {
      const group = `open loop, ${channel.durable ? 'durable' : 'live'}`;
      report.begin(
        group,
        `${plan.subscribers} subscribers, 64 B, rate raised by half until p99 > 1 s or a tenth is missing; ${describeIntake(bench, 'websocket')}`,
      );
      const climbOn = async (side: Side, warmMs: number) => {
        endIf(bench.signal);
        const lane = await openLane(bench, pair, side, { channels: [channel], promptShare: 0.02, intake: 'websocket' });
        try {
          await runInFlight(lane, { inFlight: 32, size: 64 }, warmMs);
          return await climb(lane, 64, plan, bench.signal);
        } finally {
          await lane.close();
        }
      };
      const results: Pair<Climbed[][]> = { baseline: [], fanfare: [] };
      for (let round = 0; round < plan.rounds; round++) {
        for (const side of SIDES) results[side].push([await climbOn(side, round === 0 ? plan.longWarmMs : WARM_MS)]);
      }
      const bar = bench.redis ? bars.OPEN_LOOP : undefined;
      report.add({
        group,
        name: 'last rate sustained',
        unit: 'messages/s',
        bar,
        ...columns(results, ({ rate }) => rate),
      });
      const side = (name: string, unit: 'ms' | 'deliveries/s', figureOf: (one: Climbed) => number) => {
        const { baseline, fanfare } = columns(results, figureOf);
        report.add({ group, name, unit, baseline, fanfare });
      };
      side('  its p99', 'ms', ({ p99Ms }) => p99Ms);
      side('  overloaded', 'deliveries/s', ({ overloadedPerSecond }) => overloadedPerSecond);
    }
  });
}
