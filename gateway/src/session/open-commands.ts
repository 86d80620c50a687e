import type { Clock } from '../clock.js';

/** Most bytes of commands that are not answered yet. Each counts for its frame and for what is kept besides. */
const MAX_OPEN_BYTES = 4 * 1024 * 1024;
const COMMAND_BYTES = 512;

/**
 * The commands of one session that are not answered yet: how many bytes they hold, and when all of them are answered.
 */
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

  /** Whether all commands are answered, and {@link answered} was not called. */
  get isIdle(): boolean {
    return this.#bytes === 0 && !this.#isEnding;
  }

  /** Whether {@link answered} was called: no further command is to be run. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /**
   * Counts a command, unless too much is unanswered already. A single command is taken whatever its size.
   * @param frameBytes size of the frame in which the command came
   * @returns a function that is to be called once the command is answered; `undefined` if the command must not be run
   * now
   */
  take(frameBytes: number): (() => void) | undefined {
    const cost = frameBytes + COMMAND_BYTES;
    if (this.#bytes > 0 && this.#bytes + cost > MAX_OPEN_BYTES) return undefined;
    this.#bytes += cost;
    return () => {
      this.#bytes -= cost;
      if (this.#bytes > 0) return;
      // It waits for the end of the turn, because some replies leave only then.
      if (this.#onAnswered) this.#clock.soon(this.#onAnswered);
      this.#onAnswered = undefined;
    };
  }

  /** Ends the taking of commands. Resolves once all of them are answered. Not to be called if no command is open. */
  answered(): Promise<void> {
    this.#isEnding = true;
    return new Promise((resolve) => {
      this.#onAnswered = resolve;
    });
  }
}
