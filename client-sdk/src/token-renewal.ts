import type { RefreshedFrame } from '@fanfare/protocol';
import { type Cancel, type Clock, MAX_DELAY_MS } from './clock.js';
import type { Token } from './connection.js';
import { FanfareClientError } from './errors.js';
import type { Requests } from './requests.js';

interface TokenRenewalOptions {
  readonly clock: Clock;
  readonly token: Token | undefined;
  readonly requests: Requests;
  readonly timeoutMs: number;
  /** It is that of this channel, in place of the connection's. */
  readonly channel?: string;
  readonly onError: (error: FanfareClientError) => void;
}

/** How long a token holds, as the gateway tells it; without `expires`: for ever. */
type Validity = Pick<RefreshedFrame, 'expires' | 'expiresIn'>;

/** A token is renewed this long before it expires, or at half of what is left if that is sooner, ms. */
const MARGIN_MS = 30_000;
/** How soon at the earliest, so that a wrong clock cannot make it a loop, ms. */
const SOONEST_MS = 10_000;
/** How soon at the earliest where the gateway says how long a token holds, ms. */
const SOONEST_TOLD_MS = 1_000;

/** Hands the gateway a fresh token before the last one expires, where a function fetches tokens. */
export class TokenRenewal {
  readonly #options: TokenRenewalOptions;
  #cancel: Cancel | undefined;

  constructor(options: TokenRenewalOptions) {
    this.#options = options;
  }

  /** A token was accepted: for how long is told by the gateway, so that the clock of this machine does not matter. */
  onConnected({ expires, expiresIn }: Validity): void {
    const { token, clock } = this.#options;
    this.onDown();
    if (expires === undefined || typeof token !== 'function') return;
    const leftMs = expiresIn ?? expires - clock.now();
    const endsAtMs = clock.now() + leftMs;
    const delayMs = Math.max(
      expiresIn === undefined ? SOONEST_MS : SOONEST_TOLD_MS,
      Math.min(MAX_DELAY_MS, Math.max(leftMs - MARGIN_MS, leftMs / 2)),
    );
    let current = true;
    const cancelTimer = clock.after(delayMs, () => {
      this.#renew(token).then(
        (renewed) => current && this.onConnected(renewed),
        (cause) => {
          if (!current) return;
          this.#options.onError(new FanfareClientError('token_failed', `token not renewed: ${cause}`, { cause }));
          this.onConnected({ expires, expiresIn: endsAtMs - clock.now() });
        },
      );
    });
    this.#cancel = () => {
      current = false;
      cancelTimer();
    };
  }

  onDown(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #renew(fetchToken: () => string | Promise<string>): Promise<Validity> {
    const token = await fetchToken();
    const { requests, timeoutMs, channel } = this.#options;
    const of = channel === undefined ? {} : { channel };
    const plan = { timeoutMs, readOnly: false };
    return requests.call('refreshed', (id) => ({ type: 'refresh', id, token, ...of }), plan);
  }
}
