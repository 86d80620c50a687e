import { type Clock, pause } from './clock.js';
import { FanfareError } from './errors.js';

interface PatienceOptions {
  readonly clock: Clock;
  /** Whether this reason does not pass by waiting, as of a login that is refused. */
  readonly isLasting: (reason: string) => boolean;
  /** Called with the reason of each failure. */
  readonly onWaiting: (reason: string) => void;
  /** If it is aborted, no further attempt is made. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts something that may be away, again and again, with backoff. Each time `start` makes it anew.
 * @throws the error, if it can't be waited for: if it is not `unavailable`, or if its reason is lasting; or if given up
 */
export async function startPatiently<T>(start: () => Promise<T>, options: PatienceOptions): Promise<T> {
  const { clock, isLasting, onWaiting, signal } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof FanfareError) || error.code !== 'unavailable' || isLasting(error.message)) throw error;
      signal?.throwIfAborted();
      onWaiting(error.message);
      await pause(clock, attempt);
      signal?.throwIfAborted();
    }
  }
}
