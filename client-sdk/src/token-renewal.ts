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
  /** The channel whose token it is. Without it, it is the token of the connection. */
  readonly channel?: string;
  readonly onError: (error: FanfareClientError) => void;
}

/** How long a token is valid, as the gateway tells it. Without `expires` it is valid for ever. */
type Validity = Pick<RefreshedFrame, 'expires' | 'expiresIn'>;

/**
 * How long before it expires a token is renewed, ms. It is renewed at half of the time that is left if that is later.
 */
const MARGIN_MS = 30_000;
/** How soon a token is renewed at the earliest, ms, so that a wrong clock cannot make it a loop. */
const SOONEST_MS = 10_000;
/** How soon a token is renewed at the earliest, ms, if the gateway says how long it is valid. */
const SOONEST_TOLD_MS = 1_000;

/** Gives the gateway a fresh token before the last one expires, if a function fetches tokens. */
export class TokenRenewal {
  readonly #options: TokenRenewalOptions;
  #cancel: Cancel | undefined;

  constructor(options: TokenRenewalOptions) {
    this.#options = options;
  }

  /** A token was accepted. The gateway says for how long, so that the clock of this machine does not matter. */
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
