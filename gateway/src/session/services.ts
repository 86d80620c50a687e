import type { Authenticator } from '../auth/authenticator.js';
import type { Channels } from '../channels/channels.js';
import type { Clock } from '../clock.js';
import type { Hub } from '../hub/hub.js';
import type { Stats } from '../stats.js';
import type { Liveness } from './liveness.js';

/** Limits of one connection; `Infinity` turns one off. Those of {@link Config} satisfy it. */
export interface SessionLimits {
  readonly commandsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly publishesPerSecond: number;
  /** Channels at a time. */
  readonly subscriptions: number;
  /** Largest frame a client may send: `maxFrame`, bytes. */
  readonly frameBytes: number;
}

export interface SessionTimings {
  readonly pingIntervalMs: number;
  /** After the start of a connection, in which subscribes with `since` don't count as commands. */
  readonly resumeGraceMs: number;
}

/** What the sessions of a gateway share. */
export interface SessionServices {
  readonly hub: Hub;
  readonly channels: Channels;
  readonly authenticator: Authenticator;
  readonly liveness: Liveness;
  readonly clock: Clock;
  readonly stats: Stats;
  readonly limits: SessionLimits;
  readonly timings: SessionTimings;
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
  /** Name of this gateway. */
  readonly node: string;
  /** Told of faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}
