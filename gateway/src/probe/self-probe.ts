/**
 * A gateway's own client: every few seconds it publishes a message to a channel of its own on each part of the broker, and
 * reads it back as clients would. What no other check sees (a subscription that is acknowledged and hears nothing,
 * a connection on which nothing moves) shows there, and in `/health/ready`.
 */
import type { Broker, ShardHealth } from '../broker/broker.js';
import { type Cancel, type Clock, every, sleep } from '../clock.js';
import { Hub } from '../hub/hub.js';
import { localSubscriber } from '../hub/subscriber.js';
import type { ChannelPolicy } from '../namespaces.js';
import { count, createStats, type Stats } from '../stats.js';
import { Canary } from './canary.js';
import { ClockComparison } from './clock-comparison.js';

interface SelfProbeOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly stats: Stats;
  /** Name of this life of this gateway, which its probes carry. */
  readonly instance: string;
  readonly timings: ProbeTimings;
  /** Called with the reason when a part of the broker begins to fail, and with `undefined` when it is well again. */
  readonly onState: (shard: string, reason: string | undefined) => void;
  readonly onFault: (message: string, error?: unknown) => void;
}

interface ProbeTimings {
  /** Time between two probes of a part, ms. */
  readonly intervalMs: number;
  /** How long a probe may take, ms. */
  readonly timeoutMs: number;
}

/** What became of a probe that was not read back, with the words in which that is reported. */
const REASONS = {
  /** The channel of the probe cannot be joined. */
  unsubscribed: 'its subscription is not acknowledged, or its log cannot be read',
  /** The broker did not say whether the probe is stored. */
  unanswered: 'what it publishes is not answered',
  /** The probe is stored, but was not pushed in time. */
  silent: 'what it publishes is stored, but not pushed back',
  /** The broker answered, and does not store anything now. */
  refused: 'what it publishes is refused',
  /**
   * The channel of the probe cannot be brought in line with its log. That may happen to any channel, on all gateways
   * alike.
   */
  stalled: 'its channel stands still',
};
type Failure = keyof typeof REASONS;

/** Failures that all gateways meet alike: no other gateway would be better, and what is stored can be read. */
const SHARED: ReadonlySet<Failure> = new Set(['refused', 'stalled']);

/**
 * Names of the probes' channels, which no client can use. All gateways share these channels, so that the keys stay few,
 * however many gateways come and go.
 */
const nameOf = (index: number) => ` probe ${index}`;
/** How many names are tried to find one on each part. */
const MAX_NAMES = 1_024;
/** A timer that runs so much later than it was due shows that the process stood still, ms. Nothing is learnt then. */
const STANDSTILL_MS = 1_000;

interface Marker {
  readonly probe: string;
  readonly nth: number;
}

export class SelfProbe {
  readonly #options: SelfProbeOptions;
  /** A hub of its own, whose only clients are the canaries. So what they do is in no counters and on no lists. */
  readonly #hub: Hub;
  /** The canaries, by part of the broker. */
  readonly #canaries = new Map<string, Canary>();
  /** Probes that were not read back yet. */
  readonly #awaited = new Map<number, (storedAtMs: number) => void>();
  readonly #comparison = new ClockComparison();
  #sent = 0;
  #cancel: Cancel = () => {};
  #isClosed = false;

  constructor(options: SelfProbeOptions) {
    const { broker, clock } = options;
    this.#options = options;
    const onFault: SelfProbeOptions['onFault'] = (message, error) => {
      if (!this.#isClosed) options.onFault(message, error);
    };
    const transport = { publish: (_: string, wire: string | Uint8Array) => this.#onFrames(wire) };
    this.#hub = new Hub({ broker, transport, clock, stats: createStats(), onFault });
  }

  /** Begins to probe, without waiting for a broker that may be away. */
  start(): void {
    const { clock, timings } = this.#options;
    this.#round();
    this.#cancel = every(clock, timings.intervalMs, () => this.#round());
  }

  close(): void {
    this.#cancel();
    this.#isClosed = true;
    void this.#hub.close();
  }

  /** The parts of the broker. Parts whose probes do not come back are shown as lost. */
  apply(health: readonly ShardHealth[]): ShardHealth[] {
    return health.map((part) => {
      if (!this.#canaries.get(part.shard)?.isFailing) return part;
      const detail = 'the self-probe does not come back';
      return { ...part, state: 'lost', detail: part.detail === undefined ? detail : `${part.detail}; ${detail}` };
    });
  }

  /** The parts that are probed, and whether probes come back. */
  states(): { readonly shard: string; readonly isUp: boolean }[] {
    return Array.from(this.#canaries, ([shard, { isFailing }]) => ({ shard, isUp: !isFailing }));
  }

  #round(): void {
    const health = this.#options.broker.health();
    for (const [shard, canary] of this.#canaries) {
      if (health.some((part) => part.shard === shard) && this.#isOn(shard, canary.channel)) continue;
      canary.membership?.leave();
      this.#canaries.delete(shard);
    }
    for (const { shard, state } of health) {
      if (state !== 'ok') this.#canaries.get(shard)?.forget();
      else void this.#send(shard);
    }
  }

  async #send(shard: string): Promise<void> {
    const canary = this.#canaryOf(shard);
    if (!canary || canary.isOut) return;
    canary.isOut = true;
    const { stats, onState, broker, clock, timings } = this.#options;
    const refusalsBefore = sumOf(broker.refusals?.());
    const startedAt = clock.now();
    const outcome = await this.#probe(canary).finally(() => {
      canary.isOut = false;
    });
    if (this.#isClosed || this.#canaries.get(shard) !== canary) return;
    if (outcome === 'ok') {
      if (canary.succeeded()) onState(shard, undefined);
      return;
    }
    // A process that stood still has learnt nothing.
    if (clock.now() - startedAt > timings.timeoutMs + STANDSTILL_MS) return;
    const failure = this.#isStalled(shard)
      ? 'stalled'
      : sumOf(broker.refusals?.()) > refusalsBefore
        ? 'refused'
        : outcome;
    count(stats.probeFailures, failure);
    // A part that is known to be lost need not be reported once more.
    const isKnown = broker.health().every((part) => part.shard !== shard || part.state !== 'ok');
    if (!SHARED.has(failure) && !isKnown && canary.failed()) onState(shard, REASONS[failure]);
  }

  #isStalled(shard: string): boolean {
    return this.#hub.stalls().some((stall) => stall.shard === shard);
  }

  /** Publishes a message and waits until it is read back, for `timeoutMs` at most in all. */
  async #probe(canary: Canary): Promise<Failure | 'ok'> {
    const { clock, stats, instance, timings } = this.#options;
    const timeUp = sleep(clock, timings.timeoutMs);
    if (!(await this.#isOnChannel(canary, timeUp))) return 'unsubscribed';
    const nth = ++this.#sent;
    const marker: Marker = { probe: instance, nth };
    const payload = { format: 'json', bytes: Buffer.from(JSON.stringify(marker)) } as const;
    const sentAt = clock.now();
    const wallAt = clock.wall();
    const seen: { storedAtMs?: number; failure: Failure } = { failure: 'unanswered' };
    const readBack = new Promise<void>((resolve) => {
      this.#awaited.set(nth, (storedAtMs) => {
        seen.storedAtMs = storedAtMs;
        resolve();
      });
    });
    const published = this.#hub.publish(policyOf(canary.channel), [{ payload }]).then(([result]) => {
      if (result instanceof Error) throw result;
      seen.failure = 'silent';
      return readBack;
    });
    await Promise.race([readBack, published.catch(() => {}), timeUp]);
    const tookMs = clock.now() - sentAt;
    // What has arrived may be read only after the timers have run.
    if (seen.storedAtMs === undefined) await new Promise<void>((resolve) => clock.soon(resolve));
    this.#awaited.delete(nth);
    if (seen.storedAtMs === undefined) return seen.failure;
    stats.probeLatency.observe(tookMs);
    stats.brokerClockAheadMs = this.#comparison.learn(seen.storedAtMs, wallAt, tookMs);
    return 'ok';
  }

  async #isOnChannel(canary: Canary, timeUp: Promise<void>): Promise<boolean> {
    if (canary.membership?.isLive) return true;
    canary.membership?.leave();
    const membership = this.#hub.enter(policyOf(canary.channel), localSubscriber);
    canary.membership = membership;
    const joined = membership.channel.join(membership, undefined, () => {}).catch(() => {});
    await Promise.race([joined, timeUp]);
    return membership.isLive;
  }

  #onFrames(wire: string | Uint8Array): void {
    const frames = [JSON.parse(Buffer.from(wire).toString()) as unknown].flat() as { data?: Marker; time: number }[];
    for (const { data, time } of frames) {
      if (data?.probe === this.#options.instance) this.#awaited.get(data.nth)?.(time);
    }
  }

  #canaryOf(shard: string): Canary | undefined {
    const known = this.#canaries.get(shard);
    if (known) return known;
    for (let index = 0; index < MAX_NAMES; index++) {
      const name = nameOf(index);
      if (!this.#isOn(shard, name)) continue;
      const canary = new Canary(name);
      this.#canaries.set(shard, canary);
      return canary;
    }
    return undefined;
  }

  /** Whether the channel is on this part. A broker that does not say has only one part. */
  #isOn(shard: string, channel: string): boolean {
    const { broker } = this.#options;
    return broker.shardOf ? broker.shardOf(channel) === shard : true;
  }
}

function policyOf(name: string): ChannelPolicy {
  return {
    name,
    durable: true,
    historySize: 1,
    historyTtlMs: 60_000,
    subscribe: 'none',
    publish: 'none',
    presence: false,
    maxMessageBytes: 1024,
  };
}

function sumOf(counts: Readonly<Record<string, number>> = {}): number {
  return Object.values(counts).reduce((sum, one) => sum + one, 0);
}
