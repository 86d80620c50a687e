import { VirtualClock } from '@fanfare/client/testing';
import type { ErrorCode } from '@fanfare/protocol';
import type { Faults } from './faults.js';

/** The faults by their names, as `underFaults({ faults })` picks them. */
export type FaultName = keyof Faults;

export interface StormOptions {
  readonly seed: number;
  /** The faults that may strike. Default: all. */
  readonly faults?: readonly FaultName[];
  /** Time between two faults on average, ms. Default 2 s. */
  readonly everyMs?: number;
}

/** The test gateway as a storm strikes it. */
export interface Target {
  readonly faults: Faults;
  readonly now: number;
  readonly users: readonly string[];
  /** The channels that have a log. */
  readonly channels: readonly string[];
  run(ms: number): Promise<void>;
}

/** Codes after which the same request may be made again, and succeeds in the end. */
const PASSING: readonly ErrorCode[] = ['unavailable', 'rate_limited'];

/** Causes faults. A seed decides when, and which. */
export class Storm {
  /** What struck, and when. */
  readonly log: string[] = [];
  readonly #chance: VirtualClock;
  readonly #strikes: Readonly<Record<FaultName, (target: Target) => unknown>>;
  readonly #names: readonly FaultName[];
  readonly #everyMs: number;
  isOver = false;

  constructor({ seed, faults, everyMs = 2_000 }: StormOptions) {
    // The storm has random numbers of its own, so that what the application draws does not change what strikes it.
    this.#chance = new VirtualClock({ seed: seed ^ 0x5f3759df });
    this.#everyMs = everyMs;
    this.#strikes = {
      cut: ({ faults: { cut }, users }) => this.#note('cut', cut, { ...this.#who(users), forMs: this.#upTo(3_000) }),
      dark: ({ faults: { dark }, users }) =>
        this.#note('dark', dark, { ...this.#who(users), forMs: this.#upTo(15_000) }),
      slow: ({ faults: { slow }, users }) =>
        this.#note('slow', slow, {
          ...this.#who(users),
          forMs: this.#upTo(10_000),
          bytesPerSecond: 2_000 + this.#upTo(100_000),
        }),
      expire: ({ faults: { expire }, channels }) => this.#each('expire', expire, channels, 6),
      failover: ({ faults: { failover }, channels }) => this.#each('failover', failover, channels, 4),
      refuse: ({ faults: { refuse } }) =>
        this.#note('refuse', refuse, {
          type: this.#pick(['connect', 'subscribe', 'publish', 'history'] as const),
          code: this.#pick(PASSING),
          times: 1 + this.#upTo(3),
        }),
      expireToken: ({ faults: { expireToken }, users }) =>
        users.length > 0 && this.#note('expireToken', expireToken, this.#pick(users)),
      drain: ({ faults: { drain } }) => this.#note('drain', drain, this.#upTo(2_000)),
    };
    this.#names = faults ?? (Object.keys(this.#strikes) as FaultName[]);
  }

  /** Lets time pass, with faults in it. */
  async pass(target: Target, ms: number): Promise<void> {
    let leftMs = ms;
    while (!this.isOver) {
      const pauseMs = Math.ceil(-Math.log(1 - this.#chance.random()) * this.#everyMs);
      if (pauseMs >= leftMs) break;
      await target.run(pauseMs);
      leftMs -= pauseMs;
      this.#at = target.now;
      this.#strikes[this.#pick(this.#names)](target);
    }
    await target.run(leftMs);
  }

  #at = 0;

  #note<Args extends readonly unknown[]>(name: string, strike: (...args: Args) => void, ...args: Args): void {
    this.log.push(`${this.#at} ${name}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`);
    strike(...args);
  }

  #each(
    name: string,
    strike: (channel: string, count: number) => void,
    channels: readonly string[],
    most: number,
  ): void {
    if (channels.length > 0) this.#note(name, strike, this.#pick(channels), this.#upTo(most));
  }

  #who(users: readonly string[]): { readonly user?: string } {
    return users.length > 0 && this.#chance.random() < 0.5 ? { user: this.#pick(users) } : {};
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[this.#upTo(values.length)] as Value;
  }

  /** A random integer from 0 to below this. */
  #upTo(end: number): number {
    return Math.floor(this.#chance.random() * end);
  }
}
