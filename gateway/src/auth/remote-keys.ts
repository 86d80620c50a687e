/** The public keys at a JWKS URL: they are fetched when needed, kept, and replaced when the issuer rotates them. */
import { type Clock, sleep } from '../clock.js';
import { FanfareError } from '../errors.js';
import { keysFor, keysOfSet, type PublicKey } from './public-keys.js';

interface RemoteKeysOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Called once when the URL begins to fail, and once when it answers again. */
  readonly onState?: (state: RemoteKeysState) => void;
  /** How long keys are used before the URL is fetched again, ms. Default 10 min. */
  readonly freshMs?: number;
  /** Least time between two fetches, whatever keys tokens ask for, ms. Default 5 s. */
  readonly cooldownMs?: number;
  /** How long keys are used while the URL does not answer, ms. Default 24 h. */
  readonly staleMs?: number;
  /** How long one fetch may take, ms. Default 5 s. */
  readonly timeoutMs?: number;
}

export interface RemoteKeysState {
  readonly url: string;
  /** How many keys are at hand. */
  readonly keys: number;
  /** Why the last fetch failed. Absent if it succeeded. */
  readonly problem?: string;
}

/** Largest JWKS document, bytes. */
const MAX_DOCUMENT_BYTES = 1024 * 1024;

export class RemoteKeys {
  readonly #options: Required<Omit<RemoteKeysOptions, 'onState'>> & Pick<RemoteKeysOptions, 'onState'>;
  #keys: readonly PublicKey[] = [];
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #problem: string | undefined;
  /** How many fetches there were. */
  #looks = 0;
  /** The fetch that is under way, or waits for the cooldown. All who need one share it. */
  #fetching: Promise<void> | undefined;

  constructor(options: RemoteKeysOptions) {
    this.#options = { freshMs: 600_000, cooldownMs: 5_000, staleMs: 86_400_000, timeoutMs: 5_000, ...options };
  }

  get state(): RemoteKeysState {
    return {
      url: this.#options.url,
      keys: this.#keys.length,
      ...(this.#problem !== undefined && { problem: this.#problem }),
    };
  }

  /**
   * The keys that may have signed a token with this header; none if there is no such key. A key id that is not known
   * causes another fetch, because the issuer may have rotated its keys. However many such tokens come, there is one
   * fetch in a cooldown.
   * @throws {FanfareError} `unavailable` if the URL does not answer and there are no keys to judge the token by
   */
  async keysFor(algorithm: string, id: string | undefined): Promise<readonly PublicKey[]> {
    const { freshMs, clock } = this.#options;
    const looks = this.#looks;
    const isDue = clock.now() - this.#fetchedAtMs >= freshMs;
    // After a failed fetch, the keys at hand are used for another cooldown.
    if (this.#usable().length === 0 || (isDue && this.#isCooledDown())) await this.#fetch();
    const found = keysFor(this.#usable(), algorithm, id);
    if (found.length > 0 || (this.#looks > looks && this.#problem === undefined)) return found;
    await this.#fetch();
    if (this.#problem !== undefined) {
      const { cooldownMs } = this.#options;
      throw new FanfareError('unavailable', 'the keys for tokens cannot be reached', { retryAfterMs: cooldownMs });
    }
    return keysFor(this.#usable(), algorithm, id);
  }

  #usable(): readonly PublicKey[] {
    return this.#options.clock.now() - this.#fetchedAtMs <= this.#options.staleMs ? this.#keys : [];
  }

  #isCooledDown(): boolean {
    return this.#options.clock.now() - this.#triedAtMs >= this.#options.cooldownMs;
  }

  /** Makes a fetch that starts after this call, now or after the cooldown. Never rejects. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#load().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #load(): Promise<void> {
    const { clock, cooldownMs } = this.#options;
    const waitMs = this.#triedAtMs + cooldownMs - clock.now();
    // While the URL is down nobody waits for it. What is known now is the answer.
    if (waitMs > 0 && this.#problem !== undefined) return;
    if (waitMs > 0) await sleep(clock, waitMs);
    this.#triedAtMs = clock.now();
    this.#looks++;
    const before = this.#problem;
    try {
      this.#keys = keysOfSet(await this.#download());
      this.#fetchedAtMs = clock.now();
      this.#problem = undefined;
    } catch (error) {
      this.#problem = reasonOf(error);
    }
    if ((before === undefined) !== (this.#problem === undefined)) this.#options.onState?.(this.state);
  }

  async #download(): Promise<unknown> {
    const { url, timeoutMs } = this.#options;
    const response = await fetch(url, {
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    const text = await response.text();
    if (text.length > MAX_DOCUMENT_BYTES) throw new Error(`is larger than ${MAX_DOCUMENT_BYTES} bytes`);
    return JSON.parse(text) as unknown;
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : message;
}
