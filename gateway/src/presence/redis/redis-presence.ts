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
  /** Tells this gateway's processes and lives apart; a UUID. */
  readonly gateway: string;
  /** How many gateways there are now; the more, the more seldom each looks after the others. Default 1. */
  readonly gateways?: () => number;
  readonly timings?: Partial<PresenceTimings>;
  /** Joins and leaves are added to the events that webhooks tell, in the same step. Default: they are not. */
  readonly events?: PresenceEvents | undefined;
}

export interface PresenceEvents {
  /** About how many events wait in a shard at most. */
  readonly maxEvents: number;
  /** Called when events were added to this shard. */
  wake(shard: number): void;
}

export interface PresenceTimings {
  /** How long what a gateway stored holds without a sign of life, ms. Default 15 s. */
  readonly leaseMs: number;
  /** Between two signs of life, in each shard where it has sessions, ms. Default 5 s. */
  readonly renewMs: number;
  /** In which all shards are looked at for gateways that are gone, by all gateways together, ms. Default 10 s. */
  readonly sweepMs: number;
}

/** Together they keep to the design's 30 s within which a killed gateway's members vanish. */
export const PRESENCE_TIMINGS: PresenceTimings = { leaseMs: 15_000, renewMs: 5_000, sweepMs: 10_000 };

/** Channels of a gateway that is gone, cleared at a time. */
const SWEEP_CHANNELS = 64;

/** Given to what is stored when the gateway ends. */
const CLOSE_MS = 1_000;

/**
 * Members in Redis, each channel's in the slot of its log. What an idle deployment costs does not depend on
 * how many members there are: a gateway renews one lease in each shard where it has sessions, and all
 * gateways together look at every shard once in `sweepMs`.
 *
 * A lease that was lost, or is held by a server that took over, says that what was stored may be gone: all
 * sessions of this gateway in the shard are then compared with what is stored, and put right.
 */
export class RedisPresence implements PresenceStore {
  readonly #options: RedisPresenceOptions;
  readonly #timings: PresenceTimings;
  readonly #db: number;
  /** Channels with sessions of this gateway, or with ones that are to be taken off, by shard. */
  readonly #held = new Map<number, Map<string, HeldChannel>>();
  readonly #sweeps: ShardSweep;
  /** Shards in which this gateway's lease is known to hold; the promise of a renewal under way. */
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
    // What cannot be reached now is given up: this gateway has to end.
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

  /** Nothing is stored without a lease: else nobody would clear it away. */
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

  /** What was stored may be gone, or be there again: makes it what it should be. */
  async #compareAll(shard: number): Promise<void> {
    const { deployment, gateway } = this.#options;
    for (const held of this.#held.get(shard)?.values() ?? []) held.compare();
    for (const channel of await allChannels(deployment.commands, shard, gateway)) this.#hold(channel).compare();
  }

  #scheduleRenewal(): void {
    this.#cancelRenewal = this.#clock.after(this.#timings.renewMs, () => {
      for (const shard of this.#held.keys()) {
        // One that cannot be renewed now is renewed the next time; by then it may be over.
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
      // Whoever fails leaves it to the next round, here or at another gateway.
      if (gateway !== this.#options.gateway) this.#clear(shard, gateway).catch(() => {});
    }
  }

  /** Takes off the sessions of a gateway that is gone. Several may do it at a time. */
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
