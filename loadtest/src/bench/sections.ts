/** Sections of `fanfare-load bench`: which cases they measure, and with which bar. */
import { Lane } from '../generators/lane.js';
import * as bars from '../report/bars.js';
import { type Summary, summarize } from '../report/report.js';
import type { BenchChannel, Contender, IntakeKind } from '../servers/contender.js';
import { runChannels } from './cases/channels.js';
import { type FanoutResult, runFanout } from './cases/fanout.js';
import { measureHealing } from './cases/healing.js';
import { runLatency } from './cases/latency.js';
import { measureMemory } from './cases/memory.js';
import { type PublishesResult, runPublishes } from './cases/publishes.js';
import { measureMinimalScript, measurePublish } from './cases/redis-ceilings.js';
import { alternate, columns, describeIntake, endIf, intakesOf, type Pair, withLanes, withPair } from './pairs.js';
import { type Bench, DURABLE, WARM_MS } from './plan.js';

const SIZES = [64, 512];

export async function benchFanout(bench: Bench): Promise<void> {
  const { plan, report } = bench;
  await withPair(bench, async (pair) => {
    for (const intake of bench.redis ? (['http'] as const) : plan.intakes) {
      for (const channel of plan.fanoutChannels) {
        const kind = channel.durable ? 'durable' : 'live';
        report.begin(
          `fan-out, ${kind}`,
          `${plan.subscribers} subscribers, bursts, one write each; ${describeIntake(bench, intake)}`,
        );
        const lane = { channels: [channel], promptShare: 0.02, intake };
        await withLanes(bench, pair, lane, (lanes) => fanoutCases(bench, lanes, `fan-out ${kind} ${intake}`, channel));
      }
    }
  });
}

async function fanoutCases(bench: Bench, lanes: Pair<Lane>, group: string, channel: BenchChannel): Promise<void> {
  const { plan, report } = bench;
  for (const lane of [lanes.baseline, lanes.fanfare]) await runFanout(lane, { burst: 32, size: 64 }, plan.firstWarmMs);
  for (const size of SIZES) {
    const large: Summary[] = [];
    for (const burst of plan.bursts) {
      const results = await alternate(bench, lanes, (lane, isWarmUp) =>
        runFanout(lane, { burst, size }, isWarmUp ? WARM_MS : plan.sliceMs),
      );
      const bar = channel.durable ? bars.DURABLE_FANOUT : burst < 32 ? bars.SMALL_BURSTS : bars.LIVE_FANOUT;
      const name = `${size} B, ${burst} in flight`;
      const row = {
        group,
        name,
        unit: 'deliveries/s',
        bar,
        ...columns(results, (one) => one.deliveriesPerSecond),
      } as const;
      report.add(row);
      if (burst >= 32) large.push(summarize(row));
    }
    if (large.length < 2) continue;
    const percent = (side: 'baseline' | 'fanfare') =>
      `${Math.round(bars.worstStep(large.map((one) => one[side])) * 100)} %`;
    const verdict = bars.worstStep(large.map(({ fanfare }) => fanfare)) >= bars.NO_CLIFF_SHARE ? 'met' : 'MISSED';
    report.note(
      `no cliff, ${size} B: each burst from 32 up has at least ${percent('fanfare')} of what a smaller one has (>= 80 % ${verdict}); the baseline's ${percent('baseline')}`,
    );
  }
}

export async function benchLatency(bench: Bench): Promise<void> {
  const { plan, report } = bench;
  const rate = 50_000 / plan.subscribers;
  // The next message is due before Redis may have answered the last one. One HTTP connection does not allow that.
  const direct = bench.redis ? 'websocket' : 'http';
  report.begin(
    'latency',
    `50,000 deliveries/s, ${plan.subscribers} subscribers x ${rate} messages/s of 64 B; ${describeIntake(bench, direct)}`,
  );
  await withPair(bench, async (pair) => {
    const lane = { channels: [DURABLE], promptShare: 1, intake: direct } as const;
    await withLanes(bench, pair, lane, async (lanes) => {
      const results = await alternate(bench, lanes, (lane, isWarmUp) => {
        const runMs = isWarmUp ? plan.firstWarmMs : plan.latencySliceMs;
        return runLatency(lane, { messagesPerSecond: rate, size: 64 }, (elapsedMs) => elapsedMs >= runMs);
      });
      const group = 'latency';
      report.add({ group, name: 'p50', unit: 'ms', ...columns(results, (one) => one.p50Ms) });
      report.add({ group, name: 'p99', unit: 'ms', bar: bars.LATENCY, ...columns(results, (one) => one.p99Ms) });
    });
  });
}

export async function benchChannels(bench: Bench): Promise<void> {
  const { plan, report } = bench;
  report.begin(
    'many channels',
    `${plan.connections} connections over ${plan.channels} durable channels, one message a write; ${describeIntake(bench, 'websocket')}`,
  );
  await withPair(bench, async (pair) => {
    const intakes = intakesOf(bench, 'websocket');
    const channels = Array.from({ length: plan.channels }, (_, index) => ({ name: `bench-${index}`, durable: true }));
    // The servers are measured one after the other, because the subscribers of both would be more sockets than a
    // process may have.
    const measure = async (contender: Contender, intake: IntakeKind, publishTo?: Contender) => {
      const promptShare = plan.channels / plan.connections;
      const lane = await Lane.open({
        contender,
        channels,
        subscribers: plan.connections,
        promptShare,
        intake,
        publishTo,
      });
      const results: FanoutResult[][] = [];
      try {
        await runChannels(lane, { size: 64, inFlight: 64 }, plan.longWarmMs);
        for (let round = 0; round < plan.rounds; round++) {
          endIf(bench.signal);
          results.push([await runChannels(lane, { size: 64, inFlight: 64 }, plan.sliceMs * plan.slices)]);
        }
      } finally {
        await lane.close();
      }
      return results;
    };
    const baseline = await measure(pair.baseline, intakes.baseline);
    const add = (name: string, bar: bars.Bar, fanfare: FanoutResult[][]) =>
      report.add({
        group: 'many channels',
        name,
        unit: 'deliveries/s',
        bar,
        ...columns({ baseline, fanfare }, (one) => one.deliveriesPerSecond),
      });
    add('64 B, 64 in flight', bars.MANY_CHANNELS, await measure(pair.fanfare, intakes.fanfare));
    if (!bench.redis) return;
    const other = await bench.startPublishingGateway();
    try {
      const apart = await measure(pair.fanfare, intakes.fanfare, other);
      add('by way of another gateway', bars.MANY_CHANNELS_APART, apart);
    } finally {
      await other.server.stop();
    }
  });
}

export async function benchPublishes(bench: Bench): Promise<void> {
  const { plan, report, redis } = bench;
  const baselineIs = redis
    ? 'baseline: what Redis itself does, pipelined (PUBLISH; the minimal durable script)'
    : 'baseline: a bare uWS that answers ok and logs nothing';
  report.begin('durable publishes', `HTTP, keep-alive, 64 B, no subscribers; ${baselineIs}`);
  await withPair(bench, async (pair) => {
    for (const [name, batch, connections] of [
      ['single', 1, 128],
      ['batches of 100', 100, 16],
    ] as const) {
      const options = { channel: DURABLE, batch, connections, size: 64 };
      const results = await alternate(bench, pair, async (contender, isWarmUp): Promise<PublishesResult> => {
        const runMs = isWarmUp ? plan.firstWarmMs : plan.publishSliceMs;
        if (!redis || contender === pair.fanfare) return runPublishes(contender, options, runMs);
        const ceiling = batch === 1 ? measurePublish : measureMinimalScript;
        return { publishesPerSecond: await ceiling(redis.port, 64, runMs) };
      });
      const bar = redis ? (batch === 1 ? bars.SINGLE_PUBLISH : bars.BATCH_PUBLISH) : undefined;
      const group = 'durable publishes';
      const unit = 'publishes/s';
      report.add({ group, name, unit, bar, ...columns(results, (one) => one.publishesPerSecond) });
      if (!redis || batch > 1) continue;
      const beside = await alternate(bench, pair, (contender, isWarmUp) =>
        runPublishes(contender, options, isWarmUp ? plan.firstWarmMs : plan.publishSliceMs),
      );
      const byOk = columns(beside, (one) => one.publishesPerSecond);
      report.add({ group, name: 'single, by a uWS answering ok', unit, ...byOk });
    }
  });
}

/**
 * Flags that give V8 a young generation of fixed size. Otherwise it grows to some 32 MiB while connections are made,
 * however many there are. With a fixed one, the memory that grows is what connections hold. With a smaller one than
 * this, what a join holds while Redis answers would become old before the join is over, and leave holes in the old
 * generation of up to 3 KB a connection; a larger one the baseline would not have touched before it is first measured.
 */
const FIXED_YOUNG_GENERATION = ['--min-semi-space-size=4', '--max-semi-space-size=4'];

export async function benchMemory(bench: Bench): Promise<void> {
  const { plan, report } = bench;
  report.begin(
    'memory per idle connection',
    `${plan.connections} connections; growth of the resident memory, garbage collected, V8's young generation fixed`,
  );
  const cases = [
    { name: 'all on one durable channel', bar: bars.MEMORY, channelOf: () => DURABLE },
    {
      name: 'each on its own',
      bar: undefined,
      channelOf: (index: number) => ({ name: `bench-${index}`, durable: true }),
    },
  ];
  for (const { name, bar, channelOf } of cases) {
    const measure = async (start: Bench['startFanfare']) => {
      endIf(bench.signal);
      const contender = await start({ nodeFlags: FIXED_YOUNG_GENERATION });
      return measureMemory(contender, plan.connections, channelOf).finally(() => contender.server.stop());
    };
    const baseline = await measure(bench.startBaseline);
    const fanfare = await measure(bench.startFanfare);
    report.add({ group: 'memory', name, unit: 'bytes', bar, baseline: [baseline], fanfare: [fanfare] });
  }
}

/** Measures healing. It has no baseline, because no other server does it. */
export async function benchHealing(bench: Bench): Promise<void> {
  const { plan, report, redis } = bench;
  if (!redis) return;
  const gateway = await bench.startFanfare();
  try {
    const { healedMs, idleShare } = await measureHealing(gateway, redis.port, plan.healedChannels);
    report.note('');
    report.note(
      `healing: ${plan.healedChannels} durable channels on one gateway take ${(idleShare * 100).toFixed(1)} % of a core while idle; cut off from Redis, all were subscribed and compared with their logs again after ${Math.round(healedMs)} ms (< 2000 ms ${healedMs < 2_000 ? 'met' : 'MISSED'})`,
    );
  } finally {
    await gateway.server.stop();
  }
}
