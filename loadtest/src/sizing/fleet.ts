/** A real fleet on this machine, and what a run of it costs each process. */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { COMPACT_SUBPROTOCOL } from '@fanfare/protocol/compact';
import { JSON_SUBPROTOCOL } from '@fanfare/protocol/json';
import { WebSocketIntake } from '../generators/intake.js';
import { GATEWAY_ANSWERS, payload, type Subscribe } from '../generators/reader.js';
import { ReaderPool } from '../generators/reader-pool.js';
import { dataFrame } from '../generators/websocket-frames.js';
import { type GatewayProcess, startGateway } from '../topology/gateway-process.js';
import { freePort, type RedisNode, type RedisServers, startCluster, startRedis } from '../topology/redis-servers.js';
import { type Spent, watchSpent } from './spent.js';

const SERVER_CORE = 0;
const STALL_MS = 30_000;
const SIZE = 64;

/** What a run did, and what it cost. */
export interface FleetRun extends Spent {
  readonly published: number;
  /** How many times a message reached a subscriber. */
  readonly delivered: number;
}

/** Connected subscribers of channels on gateways. */
interface Crowd {
  readonly pool: ReaderPool;
  /** How many subscribers each channel has, over all gateways. */
  readonly subscribers: ReadonlyMap<string, number>;
}

/** Says through which gateway each message is published, by the index of the message, and when. */
type Pace = { readonly through: (index: number) => number } & (
  | { /** Messages under way at once. */ readonly inFlight: number }
  | { /** Draws the time until the next message, ms. */ readonly gapMs: () => number }
);

export class Fleet {
  readonly gateways: GatewayProcess[] = [];
  readonly #intakes: WebSocketIntake[] = [];
  readonly #redis: RedisServers;
  /** The last running number of each channel. */
  readonly #sequences = new Map<string, number>();
  #id = 1;
  #delivered = 0;

  private constructor(redis: RedisServers) {
    this.#redis = redis;
  }

  /** Starts Redis without gateways. One master stands alone; more masters are a cluster without replicas. */
  static async start(masters: number): Promise<Fleet> {
    const redis =
      masters === 1 ? await startRedis() : await startCluster({ masters, replicas: 0, nodeTimeoutMs: 15_000 });
    for (const { pid } of redis.nodes) pin(pid);
    return new Fleet(redis);
  }

  get masters(): readonly RedisNode[] {
    return this.#redis.nodes;
  }

  /** Starts gateways until there are `count`. */
  async grow(count: number): Promise<void> {
    while (this.gateways.length < count) {
      const open = { subscribe: 'anyone', publish: 'anyone' };
      const config = {
        mode: 'development',
        host: '127.0.0.1',
        redisUrl: this.#redis.url,
        namespaces: { demo: { durable: true, history: { size: 100, ttl: '1h' }, ...open } },
        limits: { subscriptions: 0 },
      };
      const gateway = await startGateway({ config, port: await freePort() });
      this.gateways.push(gateway);
      pin(gateway.pid);
      const intake = await WebSocketIntake.open(gateway.url);
      intake.write(dataFrame('{"type":"connect","id":1,"client":"sizing/1"}'));
      this.#intakes.push(intake);
    }
  }

  /** Connects a subscriber for each entry, which says to which gateway and on which channels. */
  async gather(
    subscribers: Iterable<{ readonly gateway: number; readonly channels: readonly string[] }>,
  ): Promise<Crowd> {
    const counts = new Map<string, number>();
    const subscribes: Subscribe[] = [];
    for (const { gateway, channels } of subscribers) {
      for (const channel of channels) counts.set(channel, (counts.get(channel) ?? 0) + 1);
      subscribes.push(subscribeTo((this.gateways[gateway] as GatewayProcess).port, channels));
    }
    const pool = new ReaderPool();
    await pool.open(subscribes);
    return { pool, subscribers: counts };
  }

  /**
   * Publishes a message to each of the channels. With `inFlight`, so many of them are under way: a message follows once
   * the one that many places before it is acknowledged and its subscribers have it. With `gapMs`, a message follows
   * that long after the one before, whatever has arrived.
   */
  async run({ pool, subscribers }: Crowd, channels: readonly string[], { through, ...pace }: Pace): Promise<FleetRun> {
    const deliveriesBefore = pool.received;
    const repliesBefore = this.#replies;
    // How many deliveries there are once all messages up to that one have arrived.
    let delivered = 0;
    const due = channels.map((channel) => {
      delivered += subscribers.get(channel) ?? 0;
      return delivered;
    });
    const spent = await this.#watch();
    let sent = 0;
    const begin = performance.now();
    let dueMs = 0;
    await new Promise<void>((resolve, reject) => {
      const onStall = () => reject(new Error(`the fleet stalled: ${this.#fault ?? pool.fault ?? `${sent} published`}`));
      const stall = setTimeout(onStall, STALL_MS);
      const hasAll = (count: number) =>
        this.#replies - repliesBefore >= count && pool.received - deliveriesBefore >= (due[count - 1] ?? 0);
      const isDue =
        'gapMs' in pace
          ? () => dueMs <= performance.now() - begin
          : () => sent < pace.inFlight || hasAll(sent - pace.inFlight + 1);
      const proceed = () => {
        while (sent < channels.length && isDue()) {
          this.#publish(through(sent), channels[sent] as string);
          sent++;
          if ('gapMs' in pace) dueMs += pace.gapMs();
          stall.refresh();
        }
        if (sent < channels.length || !hasAll(sent)) return;
        clearTimeout(stall);
        resolve();
      };
      for (const intake of this.#intakes) intake.onReply = proceed;
      pool.onProgress = proceed;
      const tick = () => {
        proceed();
        if (sent < channels.length) setTimeout(tick, dueMs - (performance.now() - begin));
      };
      if ('gapMs' in pace) tick();
      else proceed();
    });
    const total = await spent();
    const fault = pool.fault ?? this.#fault;
    if (fault) throw new Error(fault);
    this.#delivered += delivered;
    return { ...total, published: channels.length, delivered };
  }

  get #replies(): number {
    return this.#intakes.reduce((sum, { replies }) => sum + replies, 0);
  }

  get #fault(): string | undefined {
    return this.#intakes.find(({ fault }) => fault)?.fault;
  }

  #publish(gateway: number, channel: string): void {
    const sequence = (this.#sequences.get(channel) ?? 0) + 1;
    this.#sequences.set(channel, sequence);
    const data = payload(sequence, SIZE);
    const frame = `{"type":"publish","id":${++this.#id},"channel":"${channel}","data":${data}}`;
    this.#intakes[gateway]?.write(dataFrame(frame));
  }

  /** Measures what the fleet spends while nothing is published. */
  async idle(ms: number): Promise<FleetRun> {
    const spent = await this.#watch();
    await sleep(ms);
    return { ...(await spent()), published: 0, delivered: 0 };
  }

  /** Returns the mean size of the frame of one message, bytes, over everything delivered so far. */
  async bytesPerDelivery(): Promise<number> {
    const texts = await Promise.all(
      this.gateways.map(async ({ api }) => (await fetch(new URL('/metrics', api))).text()),
    );
    const bytes = [...texts.join('\n').matchAll(/^fanfare_delivered_bytes_total\{[^}]*\} (\S+)/gm)].map(([, text]) =>
      Number(text),
    );
    return bytes.reduce((sum, one) => sum + one, 0) / this.#delivered;
  }

  #watch(): Promise<() => Promise<Spent>> {
    return watchSpent(
      this.gateways.map(({ pid }) => pid),
      this.masters,
    );
  }

  async stop(): Promise<void> {
    for (const intake of this.#intakes) intake.close();
    await Promise.all(this.gateways.map((gateway) => gateway.kill()));
    await this.#redis.stop();
  }
}

export function subscribeTo(
  port: number,
  channels: readonly string[],
  dialect: 'json' | 'compact' = 'compact',
): Subscribe {
  const subscribes = channels.map((channel, index) => JSON.stringify({ type: 'subscribe', id: index + 2, channel }));
  return {
    url: `ws://127.0.0.1:${port}/ws`,
    subprotocol: dialect === 'compact' ? COMPACT_SUBPROTOCOL : JSON_SUBPROTOCOL,
    greeting: ['{"type":"connect","id":1,"client":"sizing/1"}', ...subscribes],
    ready: `{"type":"subscribed","id":${channels.length + 1},`,
    answers: GATEWAY_ANSWERS,
  };
}

function pin(pid: number): void {
  spawnSync('taskset', ['-a', '-cp', String(SERVER_CORE), String(pid)]);
}
