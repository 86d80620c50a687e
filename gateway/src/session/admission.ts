/** How many clients a gateway takes, and how fast they may come. */
import type { Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import { RateLimiter } from '../rate-limiter.js';
import { count, type Stats } from '../stats.js';
import type { Charge } from './rates.js';

/** Limits of one gateway; `Infinity` turns one off. */
export interface AdmissionLimits {
  readonly connections: number;
  readonly connectionsPerIp: number;
  readonly connectionsPerUser: number;
  readonly connectsPerSecond: number;
  /** How many channels may become alive per second: those that no client of this gateway was on. */
  readonly channelsPerSecond: number;
  /** Most connections that have not said who they are yet. Beyond that, the oldest of them is closed. */
  readonly pendingConnections: number;
  /** Commands per second of all connections of a user together. */
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

/** Clients that are refused are told to come back at times that are spread over this long, ms. */
const RETRY_SPREAD_MS = 5_000;

/** How many channels each client may wait for at any time, however many channels all clients ask for. */
const FEW_CHANNELS = 16;

/** Counts what all connections of a user send together. */
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

  /** Why a new connection is one too many, if it is. @param open how many connections there are already */
  refusal(open: number, atAddress: number): FanfareError | undefined {
    const { connections, connectionsPerIp } = this.limits;
    if (open >= connections) return this.#refuse('connections', 'the gateway has as many connections as it may');
    if (atAddress >= connectionsPerIp) return this.#refuse('connectionsPerIp', 'too many connections of this address');
    const waitMs = this.#connects.take(1, this.#clock.now());
    return waitMs > 0 ? this.#refuse('connectsPerSecond', 'too many connect at once', waitMs) : undefined;
  }

  /**
   * Why a connection is one too many for its user, if it is. @param ofUser how many connections the user has already
   */
  userRefusal(ofUser: number): FanfareError | undefined {
    if (ofUser < this.limits.connectionsPerUser) return undefined;
    return this.#refuse('connectionsPerUser', `${ofUser} connections of this user already`);
  }

  /**
   * When a channel that nobody here is on may become alive: 0 for now, otherwise after how many ms. A client that waits
   * for few channels is always let in: that makes no queue long, and so nobody can keep others out.
   * @param joining how many channels the client waits for already
   */
  channelWaitMs(joining: number): number {
    const waitMs = this.#channels.take(1, this.#clock.now());
    if (waitMs === 0 || joining < FEW_CHANNELS) return 0;
    count(this.#stats.limitsHit, 'channelsPerSecond');
    return Math.round(waitMs + this.#clock.random() * RETRY_SPREAD_MS);
  }

  /** The error for a connection that took too long to say who it is, while others came. */
  tooSlow(): FanfareError {
    return this.#refuse('pendingConnections', 'too many have not said who they are');
  }

  /** Makes the rates of a user, over all connections. */
  newUserRates(): UserRates {
    const { commandsPerSecondPerUser, publishesPerSecondPerUser } = this.limits;
    const now = this.#clock.now();
    return {
      commands: new RateLimiter(commandsPerSecondPerUser, now),
      publishes: new RateLimiter(publishesPerSecondPerUser, now),
    };
  }

  /** Counts a frame of a user. 0 if it is granted, otherwise after how many ms it would be. */
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

/** The reason that is sent with the close code 4429. */
export function tooManyReason({ retryAfterMs }: FanfareError): string {
  return JSON.stringify({ retryAfter: retryAfterMs });
}
