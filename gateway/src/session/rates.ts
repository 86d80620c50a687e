import { RateLimiter } from '../rate-limiter.js';

/** What a connection may send per second on average, and also at once. `Infinity` turns a limit off. */
interface RateLimits {
  readonly commandsPerSecond: number;
  /** Bytes of all frames, commands or not. */
  readonly bytesPerSecond: number;
  readonly publishesPerSecond: number;
}

/** Limits of one connection; `Infinity` turns a limit off. */
export interface SessionLimits extends RateLimits {
  /** How many channels the connection may be on at a time. */
  readonly subscriptions: number;
}

/** What a frame counts as. */
export interface Charge {
  readonly bytes: number;
  readonly isCommand: boolean;
  readonly isPublish: boolean;
}

/** The rates of one connection. */
export class Rates {
  readonly #commands: RateLimiter;
  readonly #bytes: RateLimiter;
  readonly #publishes: RateLimiter;

  constructor({ commandsPerSecond, bytesPerSecond, publishesPerSecond }: RateLimits, nowMs: number) {
    this.#commands = new RateLimiter(commandsPerSecond, nowMs);
    this.#bytes = new RateLimiter(bytesPerSecond, nowMs);
    this.#publishes = new RateLimiter(publishesPerSecond, nowMs);
  }

  /** Counts a frame. 0 if it is granted, otherwise after how many ms it would be. */
  take({ bytes, isCommand, isPublish }: Charge, nowMs: number): number {
    return (
      this.#bytes.take(bytes, nowMs) ||
      (isCommand ? this.#commands.take(1, nowMs) : 0) ||
      (isPublish ? this.#publishes.take(1, nowMs) : 0)
    );
  }

  /** Counts a command that was free at first, and turned out not to be. */
  chargeCommand(nowMs: number): void {
    this.#commands.charge(1, nowMs);
  }
}

/** Whether nothing is limited, so that nothing need be counted. */
export function isUnlimited({ commandsPerSecond, bytesPerSecond, publishesPerSecond }: RateLimits): boolean {
  return Math.min(commandsPerSecond, bytesPerSecond, publishesPerSecond) === Number.POSITIVE_INFINITY;
}
