import type { ServerFrame } from '@fanfare/protocol';
import type { Clock } from './clock.js';
import type { Token } from './connection.js';
import { FanfareClientError, isFanfareError } from './errors.js';
import type { Requests } from './requests.js';
import { TokenRenewal } from './token-renewal.js';

/** What a feed needs of the token of its channel. */
export interface ChannelToken {
  /** The token to subscribe with. If it is undefined, it has to be fetched first. */
  readonly text: string | undefined;
  /** @throws {FanfareClientError} as a rejection: `token_failed`, or what the application threw as one. */
  fetch(): Promise<void>;
  /** The token has expired. Returns whether another one can be fetched. */
  expire(): boolean;
}

interface ChannelTokensOptions {
  readonly clock: Clock;
  readonly requests: Requests;
  readonly timeoutMs: number;
  readonly onError: (error: FanfareClientError) => void;
}

class Entry implements ChannelToken {
  readonly renewal: TokenRenewal;
  text: string | undefined;
  /** How many subscriptions brought a token. */
  readers = 0;
  #source: Token = '';

  constructor(channel: string, options: ChannelTokensOptions) {
    const token = async () => {
      await this.fetch();
      return this.text as string;
    };
    this.renewal = new TokenRenewal({ ...options, channel, token });
  }

  get isFetched(): boolean {
    return typeof this.#source === 'function';
  }

  /** Takes a token, or a function that fetches one, in place of the one before. */
  take(source: Token): void {
    this.#source = source;
    this.text = typeof source === 'string' ? source : undefined;
  }

  async fetch(): Promise<void> {
    const source = this.#source;
    try {
      this.text = typeof source === 'string' ? source : await source();
    } catch (cause) {
      if (isFanfareError(cause)) throw cause;
      throw new FanfareClientError('token_failed', `no token: ${cause}`, { cause, retryable: true });
    }
  }

  expire(): boolean {
    if (this.isFetched) this.text = undefined;
    return this.isFetched;
  }
}

/**
 * The tokens of single channels. They are fetched where the application gave a function, and renewed in place before
 * they expire.
 */
export class ChannelTokens {
  readonly #options: ChannelTokensOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: ChannelTokensOptions) {
    this.#options = options;
  }

  open(channel: string, source: Token): ChannelToken {
    const entry = this.#entries.get(channel) ?? new Entry(channel, this.#options);
    this.#entries.set(channel, entry);
    entry.readers++;
    entry.take(source);
    return entry;
  }

  close(channel: string): void {
    const entry = this.#entries.get(channel);
    if (entry === undefined || --entry.readers > 0) return;
    this.#entries.delete(channel);
    entry.renewal.onDown();
  }

  onFrame(frame: ServerFrame): void {
    if (frame.type !== 'subscribed' && frame.type !== 'unsubscribed') return;
    const entry = this.#entries.get(frame.channel);
    if (frame.type === 'unsubscribed') entry?.renewal.onDown();
    else if (entry?.isFetched) entry.renewal.onConnected(frame);
  }

  onDown(): void {
    for (const { renewal } of this.#entries.values()) renewal.onDown();
  }
}
