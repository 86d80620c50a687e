import type { ChannelToken } from './channel-tokens.js';
import type { FanfareClientError } from './errors.js';

/** Tokens that turn out to have expired, in a row. */
const MAX_EXPIRED = 5;

/** The token with which a feed subscribes: fetched before anything is sent, and fetched anew a few times once it expired. */
export class FeedToken {
  #token: ChannelToken | undefined;
  #isFetching = false;

  /** What to subscribe with, if the channel takes a token and it is there. */
  get text(): string | undefined {
    return this.#token?.text;
  }

  /** Nothing can be sent before it is there. */
  get isFetching(): boolean {
    return this.#isFetching;
  }

  /** It has to be fetched before anything is sent. */
  get isMissing(): boolean {
    return this.#token !== undefined && this.#token.text === undefined && !this.#isFetching;
  }

  /** The subscriptions that it was for are gone, and with them the token. */
  forget(): void {
    this.#token = undefined;
  }

  /** A subscription that brings none leaves the one that is there. */
  take(token: ChannelToken | undefined): void {
    this.#token = token ?? this.#token;
  }

  /**
   * It expired; whether there may be another one. A few times only: what fetches them may hand out old ones for ever.
   * @param failures subscribes in a row that failed
   */
  expire(failures: number): boolean {
    return failures < MAX_EXPIRED && this.#token?.expire() === true;
  }

  /** @param onEnd with an error if the token could not be fetched, unless it was for others than those who are here now */
  fetch(onEnd: (error: FanfareClientError | undefined) => void): void {
    const token = this.#token;
    if (token === undefined) return;
    this.#isFetching = true;
    const end = (error?: FanfareClientError) => {
      this.#isFetching = false;
      onEnd(token === this.#token ? error : undefined);
    };
    token.fetch().then(() => end(), end);
  }
}
