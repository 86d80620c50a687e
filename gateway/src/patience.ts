import { type Clock, pause } from './clock.js';
import { FanfareError } from './errors.js';

interface PatienceOptions {
  readonly clock: Clock;
  /** Told of each failure, with the reason. */
  readonly onWaiting: (reason: string) => void;
  /** Aborted: gives up. */
  readonly signal?: AbortSignal | undefined;
}

/** Answers of a Redis that is there and does not want us: waiting changes nothing. */
const DEFINITE = /\b(WRONGPASS|NOAUTH|NOPERM)\b/;

/**
 * Starts something that may be away, again and again, with backoff; each time `start` makes it anew.
 * @throws what can't be waited for: anything but `unavailable`, and a login that is refused; or if given up
 */
export async function startPatiently<T>(start: () => Promise<T>, options: PatienceOptions): Promise<T> {
  const { clock, onWaiting, signal } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof FanfareError) || error.code !== 'unavailable' || DEFINITE.test(error.message)) throw error;
      signal?.throwIfAborted();
      onWaiting(error.message);
      await pause(clock, attempt);
      signal?.throwIfAborted();
    }
  }
}
