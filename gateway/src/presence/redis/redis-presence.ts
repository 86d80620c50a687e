import type { Broker, Subscription } from '../../broker/broker.js';
import { type Cancel, pause, sleep } from '../../clock.js';
import type { RedisDeployment } from '../../redis/deployment.js';
import { presenceKeys, pushName, shardOf } from '../../redis/keys.js';
import { ShardSweep } from '../../redis/sweep.js';
import { watchChanges } from '../presence-changes.js';
import {
  memberKey,
  type PresenceListener,
  type PresencePage,
  type PresenceStore,
  type PresentSession,
} from '../presence-store.js';
import { HeldChannel } from './held-channel.js';
import {
  allChannels,
  forgetGateway,
  type Lease,
  listMembers,
  overdueGateways,
  PRESENCE_SCRIPTS,
  renewLease,
  someChannels,
  storedSessions,
  type UpdateCall,
  updateSessions,
} from './presence-scripts.js';

export interface RedisPresenceOptions {
  readonly deployment: RedisDeployment;
  readonly broker: Pick<Broker, 'subscribe'>;
  /** Name of this life of this gateway process, which no other one has: a UUID. */
  readonly gateway: string;
  /**
   * How many gateways there are now. The more there are, the less often each of them looks after the others. Default 1.
   */
  readonly gateways?: () => number;
  readonly timings?: Partial<PresenceTimings>;
  /** If set, joins and leaves are added to the events of webhooks, in the same step. Default: they are not. */
  readonly events?: PresenceEvents | undefined;
}

export interface PresenceEvents {
  /** About how many events may wait in a shard. */
  readonly maxEvents: number;
  /** Called when events were added to this shard. */
  wake(shard: number): void;
}

export interface PresenceTimings {
  /** How long the sessions of a gateway stay without a sign of life from it, ms. Default 15 s. */
  readonly leaseMs: number;
  /** Time between two signs of life, in each shard in which a gateway has sessions, ms. Default 5 s. */
  readonly renewMs: number;
  /** Time in which all gateways together look once at every shard for gateways that are gone, ms. Default 10 s. */
  readonly sweepMs: number;
}

/** The default timings. Together they make sure that the members of a killed gateway vanish within 30 s. */
export const PRESENCE_TIMINGS: PresenceTimings = { leaseMs: 15_000, renewMs: 5_000, sweepMs: 10_000 };

/** How many channels of a gateway that is gone are cleared at a time. */
const SWEEP_CHANNELS = 64;

/** How long the last writes may take when the gateway ends, ms. */
const CLOSE_MS = 1_000;

/**
 * Presence in Redis, with the members of each channel in the slot of its log. What an idle deployment costs does not
 * depend on how many members there are: a gateway renews one lease in each shard in which it has sessions, and all
 * gateways together look at every shard once in `sweepMs`.
 *
 * If a lease was lost, or another server took over, what was stored may be gone. All sessions of this gateway in the
 * shard are then compared with what is stored, and corrected.
 */
export class RedisPresence implements PresenceStore {
  readonly #options: RedisPresenceOptions;
  readonly #timings: PresenceTimings;
  readonly #db: number;
  /** By shard, the channels with sessions of this gateway, and those with sessions that still have to be taken off. */
  readonly #held = new Map<number, Map<string, HeldChannel>>();
  readonly #sweeps: ShardSweep;
  /** The shards in which this gateway's lease is known to hold (`held`), or is being renewed (the promise of that). */
  readonly #leases = new Map<number, Promise<void> | 'held'>();
  #cancelRenewal: Cancel = () => {};
  #isClosed = false;

  constructor(options: RedisPresenceOptions) {
    this.#options = options;
    this.#timings = { ...PRESENCE_TIMINGS, ...options.timings };
    this.#db = options.deployment.link.db ?? 0;
    options.deployment.join({}, PRESENCE_SCRIPTS);
    const { commands } = options.deployment;
    this.#sweeps = new ShardSweep({
      clock: this.#clock,
      sweepMs: this.#timings.sweepMs,
      gateways: options.gateways,
      look: async (shard) => this.#sweep(shard, { isHeld: true, over: await overdueGateways(commands, shard) }),
    });
  }

  start(): void {
    this.#scheduleRenewal();
    this.#sweeps.start();
  }

  async close(keepMs = 0): Promise<void> {
    this.#isClosed = true;
    this.#cancelRenewal();
    this.#sweeps.stop();
    if (keepMs <= this.#timings.leaseMs) return;
    const { deployment, gateway } = this.#options;
    // Leases that cannot be reached now are given up, because this gateway has to end.
    const renewals = [...this.#held.keys()].map((shard) => renewLease(deployment.commands, shard, gateway, keepMs));
    await Promise.race([Promise.allSettled(renewals), sleep(this.#clock, CLOSE_MS)]);
  }

  add(channel: string, session: PresentSession): Promise<void> {
    const member = memberKey(session);
    const { session: id, user, info } = session;
    const json = JSON.stringify({ session: id, user, info });
    return this.#hold(channel).add({ session: id, member, json });
  }

  remove(channel: string, session: string): void {
    this.#held.get(shardOf(channel))?.get(channel)?.remove(session);
  }

  list(channel: string, { after, limit }: { after: string; limit: number }): Promise<PresencePage> {
    const keys = presenceKeys(channel, this.#options.gateway);
    return listMembers(this.#options.deployment.commands, keys, after, limit);
  }

  watch(channel: string, listener: PresenceListener): Promise<Subscription> {
    return watchChanges(this.#options.broker, channel, listener);
  }

  get #clock() {
    return this.#options.deployment.clock;
  }

  #hold(channel: string): HeldChannel {
    const shard = shardOf(channel);
    let channels = this.#held.get(shard);
    if (!channels) {
      channels = new Map();
      this.#held.set(shard, channels);
    }
    let held = channels.get(channel);
    if (!held) {
      held = new HeldChannel({
        store: (sessions) => this.#store(channel, sessions),
        stored: () => storedSessions(this.#options.deployment.commands, presenceKeys(channel, this.#options.gateway)),
        pause: (attempt) => pause(this.#clock, attempt),
        isClosed: () => this.#isClosed,
        onEmpty: () => {
          channels.delete(channel);
          if (channels.size === 0) this.#held.delete(shard);
        },
      });
      channels.set(channel, held);
    }
    return held;
  }

  async #store(channel: string, sessions: Parameters<typeof updateSessions>[1]['sessions']): Promise<boolean> {
    const { gateway } = this.#options;
    const keys = presenceKeys(channel, gateway);
    await this.#ensureLease(keys.shard);
    const push = pushName(` presence ${channel}`, this.#db);
    const isDone = await this.#update({ keys, channel, gateway, push, by: 'own', sessions });
    if (!isDone) this.#leases.delete(keys.shard);
    return isDone;
  }

  /**
   * Makes sure that this gateway has a lease in the shard. Nothing is stored without one, because nobody would clear it
   * away.
   */
  #ensureLease(shard: number): Promise<void> | undefined {
    const lease = this.#leases.get(shard);
    if (lease === 'held') return undefined;
    if (lease) return lease;
    const renewal = this.#renew(shard);
    this.#leases.set(shard, renewal);
    return renewal.finally(() => {
      if (this.#leases.get(shard) === renewal) this.#leases.delete(shard);
    });
  }

  async #renew(shard: number): Promise<void> {
    const { deployment, gateway } = this.#options;
    const lease = await renewLease(deployment.commands, shard, gateway, this.#timings.leaseMs);
    this.#leases.set(shard, 'held');
    if (!lease.isHeld) await this.#compareAll(shard);
    this.#sweep(shard, lease);
  }

  /** Corrects everything that this gateway has stored in the shard: it may be gone, or there again. */
  async #compareAll(shard: number): Promise<void> {
    const { deployment, gateway } = this.#options;
    for (const held of this.#held.get(shard)?.values() ?? []) held.compare();
    for (const channel of await allChannels(deployment.commands, shard, gateway)) this.#hold(channel).compare();
  }

  #scheduleRenewal(): void {
    this.#cancelRenewal = this.#clock.after(this.#timings.renewMs, () => {
      for (const shard of this.#held.keys()) {
        // A lease that cannot be renewed now is renewed the next time. By then it may be over.
        this.#renew(shard).catch(() => this.#leases.delete(shard));
      }
      for (const [shard, lease] of this.#leases) {
        if (lease === 'held' && !this.#held.has(shard)) this.#leases.delete(shard);
      }
      this.#scheduleRenewal();
    });
  }

  // --- those who are gone ------------------------------------------------------------------------

  #sweep(shard: number, { over }: Lease): void {
    for (const gateway of over) {
      // If it fails, it is left to the next round, of this gateway or another one.
      if (gateway !== this.#options.gateway) this.#clear(shard, gateway).catch(() => {});
    }
  }

  /** Takes off the sessions of a gateway that is gone. Several gateways may do that at the same time. */
  async #clear(shard: number, gateway: string): Promise<void> {
    const { commands } = this.#options.deployment;
    while (!this.#isClosed) {
      const channels = await someChannels(commands, shard, gateway, SWEEP_CHANNELS);
      if (channels.length === 0) return forgetGateway(commands, shard, gateway);
      const done = await Promise.all(channels.map((channel) => this.#clearChannel(channel, gateway)));
      if (done.includes(false)) return;
    }
  }

  async #clearChannel(channel: string, gateway: string): Promise<boolean> {
    const { commands } = this.#options.deployment;
    const keys = presenceKeys(channel, gateway);
    const sessions = (await storedSessions(commands, keys)).map((session) => ({ session }));
    const push = pushName(` presence ${channel}`, this.#db);
    return this.#update({ keys, channel, gateway, push, by: 'swept', sessions });
  }

  async #update(call: Omit<UpdateCall, 'maxEvents'>): Promise<boolean> {
    const { deployment, events } = this.#options;
    const isDone = await updateSessions(deployment.commands, { ...call, maxEvents: events?.maxEvents ?? 0 });
    if (isDone) events?.wake(call.keys.shard);
    return isDone;
  }
}
