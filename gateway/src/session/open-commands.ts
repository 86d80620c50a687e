import type { Clock } from '../clock.js';

/** Most bytes of commands that are not answered yet; each counts for its frame and what is kept besides. */
const MAX_OPEN_BYTES = 4 * 1024 * 1024;
const COMMAND_BYTES = 512;

/** The commands of one session that are not answered yet: how much they hold, and when all of them are answered. */
export class OpenCommands {
  readonly #clock: Pick<Clock, 'soon'>;
  #bytes = 0;
  #onAnswered: (() => void) | undefined;
  #isEnding = false;

  constructor(clock: Pick<Clock, 'soon'>) {
    this.#clock = clock;
  }

  /** Whether some command is not answered yet. */
  get isBusy(): boolean {
    return this.#bytes > 0;
  }

  /** Whether {@link answered} was called: no further command is to be run. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /**
   * Counts a command in, unless too much is unanswered already. A single one is taken whatever its size.
   * @param frameBytes of the frame that it came in
   * @returns what is to be called once the command is answered; `undefined`: the command is not to be run now
   */
  take(frameBytes: number): (() => void) | undefined {
    const cost = frameBytes + COMMAND_BYTES;
    if (this.#bytes > 0 && this.#bytes + cost > MAX_OPEN_BYTES) return undefined;
    this.#bytes += cost;
    return () => {
      this.#bytes -= cost;
      if (this.#bytes > 0) return;
      // Some replies leave at the end of the turn.
      if (this.#onAnswered) this.#clock.soon(this.#onAnswered);
      this.#onAnswered = undefined;
    };
  }

  /** No further command is to be run. Resolves once all of them are answered; not to be called if none is open. */
  answered(): Promise<void> {
    this.#isEnding = true;
    return new Promise((resolve) => {
      this.#onAnswered = resolve;
    });
  }
}
