import type { ChannelToken } from './channel-tokens.js';
import type { FanfareClientError } from './errors.js';

/** How many tokens in a row may turn out to have expired. */
const MAX_EXPIRED = 5;

/**
 * The token with which a feed subscribes. It is fetched before anything is sent, and fetched anew a few times once it
 * expired.
 */
export class FeedToken {
  #token: ChannelToken | undefined;
  #isFetching = false;

  /** The token to subscribe with, if the channel takes one and it is there. */
  get text(): string | undefined {
    return this.#token?.text;
  }

  /** Whether the token is being fetched. Nothing can be sent before it is there. */
  get isFetching(): boolean {
    return this.#isFetching;
  }

  /** Whether the token has to be fetched before anything is sent. */
  get isMissing(): boolean {
    return this.#token !== undefined && this.#token.text === undefined && !this.#isFetching;
  }

  /** The subscriptions that the token was for are gone, and the token with them. */
  forget(): void {
    this.#token = undefined;
  }

  /** Takes the token of a subscription. A subscription that brings none leaves the one that is there. */
  take(token: ChannelToken | undefined): void {
    this.#token = token ?? this.#token;
  }

  /**
   * The token expired. Returns whether there may be another one. That is so a few times only, because the function that
   * fetches tokens may return old ones for ever.
   * @param failures how many subscribes in a row failed
   */
  expire(failures: number): boolean {
    return failures < MAX_EXPIRED && this.#token?.expire() === true;
  }

  /**
   * Fetches the token.
   * @param onEnd called with an error if it could not be fetched, unless it was for other subscriptions than those that
   * are here now
   */
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
