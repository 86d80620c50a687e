/** How many clients a gateway takes, and how fast they may come. */
import type { Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import { RateLimiter } from '../rate-limiter.js';
import { count, type Stats } from '../stats.js';
import type { Charge } from './rates.js';

/** Of one gateway; `Infinity` turns one off. */
export interface AdmissionLimits {
  readonly connections: number;
  readonly connectionsPerIp: number;
  readonly connectionsPerUser: number;
  readonly connectsPerSecond: number;
  /** Channels that nobody here was on. */
  readonly channelsPerSecond: number;
  /** Connections that have not said who they are yet; beyond it the oldest of them is closed. */
  readonly pendingConnections: number;
  /** Of all connections of a user, as is what follows. */
  readonly commandsPerSecondPerUser: number;
  readonly publishesPerSecondPerUser: number;
}

const OFF = Number.POSITIVE_INFINITY;
export const UNLIMITED: AdmissionLimits = {
  connections: OFF,
  connectionsPerIp: OFF,
  connectionsPerUser: OFF,
  connectsPerSecond: OFF,
  channelsPerSecond: OFF,
  pendingConnections: OFF,
  commandsPerSecondPerUser: OFF,
  publishesPerSecondPerUser: OFF,
};

/** Whoever is refused comes back spread over this time, ms. */
const RETRY_SPREAD_MS = 5_000;

/** So many channels each client may wait for, however many are asked for by all. */
const FEW_CHANNELS = 16;

/** What all connections of a user send together. */
export interface UserRates {
  readonly commands: RateLimiter;
  readonly publishes: RateLimiter;
}

export class Admission {
  readonly limits: AdmissionLimits;
  readonly #clock: Clock;
  readonly #stats: Stats;
  readonly #connects: RateLimiter;
  readonly #channels: RateLimiter;

  constructor(limits: AdmissionLimits, clock: Clock, stats: Stats) {
    this.limits = limits;
    this.#clock = clock;
    this.#stats = stats;
    this.#connects = new RateLimiter(limits.connectsPerSecond, clock.now());
    this.#channels = new RateLimiter(limits.channelsPerSecond, clock.now());
  }

  /** Why a connection that opens is one too many, if it is. @param open those before it */
  refusal(open: number, atAddress: number): FanfareError | undefined {
    const { connections, connectionsPerIp } = this.limits;
    if (open >= connections) return this.#refuse('connections', 'the gateway has as many connections as it may');
    if (atAddress >= connectionsPerIp) return this.#refuse('connectionsPerIp', 'too many connections of this address');
    const waitMs = this.#connects.take(1, this.#clock.now());
    return waitMs > 0 ? this.#refuse('connectsPerSecond', 'too many connect at once', waitMs) : undefined;
  }

  /** As {@link refusal}, once it is known whose it is. @param ofUser those before it */
  userRefusal(ofUser: number): FanfareError | undefined {
    if (ofUser < this.limits.connectionsPerUser) return undefined;
    return this.#refuse('connectionsPerUser', `${ofUser} connections of this user already`);
  }

  /**
   * A channel that nobody here is on is asked for. 0 if it may become alive, else after how many ms. One who waits for
   * few channels is let in always: no queue gets long by that, and nobody can keep others out.
   * @param joining how many channels the client waits for already
   */
  channelWaitMs(joining: number): number {
    const waitMs = this.#channels.take(1, this.#clock.now());
    if (waitMs === 0 || joining < FEW_CHANNELS) return 0;
    count(this.#stats.limitsHit, 'channelsPerSecond');
    return Math.round(waitMs + this.#clock.random() * RETRY_SPREAD_MS);
  }

  /** It took too long to say who it is, while others came. */
  tooSlow(): FanfareError {
    return this.#refuse('pendingConnections', 'too many have not said who they are');
  }

  /** What a user may send, over all connections. */
  newUserRates(): UserRates {
    const { commandsPerSecondPerUser, publishesPerSecondPerUser } = this.limits;
    const now = this.#clock.now();
    return {
      commands: new RateLimiter(commandsPerSecondPerUser, now),
      publishes: new RateLimiter(publishesPerSecondPerUser, now),
    };
  }

  /** Takes a frame of a user. 0 if granted, else after how many ms it would be. */
  userWaitMs({ commands, publishes }: UserRates, { isCommand, isPublish }: Charge): number {
    const now = this.#clock.now();
    const commandMs = isCommand ? commands.take(1, now) : 0;
    if (commandMs > 0) count(this.#stats.limitsHit, 'commandsPerSecondPerUser');
    const publishMs = isPublish && commandMs === 0 ? publishes.take(1, now) : 0;
    if (publishMs > 0) count(this.#stats.limitsHit, 'publishesPerSecondPerUser');
    return commandMs || publishMs;
  }

  #refuse(limit: keyof AdmissionLimits, why: string, waitMs = 1_000): FanfareError {
    count(this.#stats.limitsHit, limit);
    const retryAfterMs = Math.round(waitMs + this.#clock.random() * RETRY_SPREAD_MS);
    return new FanfareError('limit_exceeded', why, { retryAfterMs });
  }
}

/** The reason of a close with 4429. */
export function tooManyReason({ retryAfterMs }: FanfareError): string {
  return JSON.stringify({ retryAfter: retryAfterMs });
}
