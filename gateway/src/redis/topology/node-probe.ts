import { isDeepStrictEqual } from 'node:util';
import type { Redis } from 'ioredis';
import type { Clock } from '../../clock.js';
import { Backoff, type BackoffTimings } from '../backoff.js';
import { within } from '../deadline.js';
import { type LinkOptions, openLink } from '../link.js';
import type { RedisAddress } from '../url.js';

interface ProbeOptions<Answer> {
  readonly clock: Clock;
  readonly link: LinkOptions;
  readonly handshakeMs: number;
  /** How long an answer may take, ms. */
  readonly answerMs: number;
  readonly backoff: BackoffTimings;
  /** How long to rest before the next question, ms. It is called after each answer. */
  readonly intervalMs: () => number;
  readonly ask: (redis: Redis, address: RedisAddress) => Promise<Answer>;
  /** Called when the answer differs from the one before, or when there is none any more. */
  readonly onChange: () => void;
}

/** Asks one node the same question again and again, over a connection of its own. */
export class NodeProbe<Answer> {
  readonly #address: RedisAddress;
  readonly #options: ProbeOptions<Answer>;
  readonly #backoff: Backoff;
  #redis: Redis | undefined;
  #closed = false;
  #waiting: ((answer: Answer | undefined) => void)[] = [];
  #wake: (() => void) | undefined;
  /** The last answer; `undefined` while the node gives none. */
  answer: Answer | undefined;
  /** Why the node gives no answer. */
  problem: string | undefined;

  constructor(address: RedisAddress, options: ProbeOptions<Answer>) {
    this.#address = address;
    this.#options = options;
    this.#backoff = new Backoff(options.backoff, options.clock.random);
    void this.#run();
  }

  /**
   * Asks now, and resolves with the answer; `undefined` if none comes. A node that failed and waits for its next
   * attempt is not asked, since it is known to be out of reach.
   */
  fresh(): Promise<Answer | undefined> {
    if (this.#closed || (this.#wake && this.answer === undefined)) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#wake?.();
    });
  }

  close(): void {
    this.#closed = true;
    this.answer = undefined;
    this.#redis?.disconnect();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const asked = this.#waiting;
      this.#waiting = [];
      const answer = await this.#ask();
      const isChanged = !this.#closed && !isDeepStrictEqual(answer, this.answer);
      if (isChanged) this.answer = answer;
      for (const resolve of asked) resolve(this.answer);
      if (this.#closed) break;
      if (isChanged) this.#options.onChange();
      if (answer === undefined) this.#giveUp();
      if (this.#waiting.length === 0) {
        await this.#rest(answer === undefined ? this.#backoff.next() : this.#options.intervalMs());
      }
    }
    this.#giveUp();
  }

  #giveUp(): void {
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }

  #rest(delayMs: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        this.#wake = undefined;
        resolve();
      };
      const cancel = this.#options.clock.after(delayMs, wake);
      this.#wake = wake;
    });
  }

  async #ask(): Promise<Answer | undefined> {
    const { clock, link, handshakeMs, answerMs, ask } = this.#options;
    try {
      this.#redis ??= await openLink(this.#address, link, clock, handshakeMs);
      if (this.#closed) throw new Error('closed');
      const answer = await within(clock, answerMs, 'answer', ask(this.#redis, this.#address));
      this.#backoff.reset();
      this.problem = undefined;
      return answer;
    } catch (error) {
      this.#redis?.disconnect();
      this.#redis = undefined;
      this.problem = (error as Error).message;
      return undefined;
    }
  }
}
