/**
 * What a connection asks of one channel takes effect in the order it came; what it asks of different
 * channels doesn't wait for each other.
 */
export class ChannelTurns {
  /** Of subscribes and unsubscribes. */
  readonly #moves = new LatestTasks();
  readonly #publishes = new LatestTasks();
  /** What publishes wait for before their turn. */
  readonly #awaited = new LatestTasks();

  /** For subscribe and unsubscribe: runs now, or once those before are answered. */
  run(channel: string, task: () => Promise<void>): Promise<void> {
    const before = this.#moves.get(channel);
    const result = before ? before.then(task) : task();
    this.#moves.set(channel, result);
    return result;
  }

  /**
   * For publish: runs now, or once a subscribe or unsubscribe before it is answered. Those behind it wait
   * until it runs, not until it is answered: publishes of one channel are stored in the order of the calls.
   */
  publish<T>(channel: string, task: () => Promise<T>): Promise<T> {
    const result = this.#moves.get(channel) ? this.#inTurn(channel, task) : task();
    this.#publishes.set(channel, result);
    return result;
  }

  /** Resolves once the subscribes and unsubscribes so far are answered; `undefined`: they are. */
  moving(channel: string): Promise<void> | undefined {
    return this.#moves.get(channel);
  }

  /** For a publish that waits for something: resolves with it once those before it have settled, too. */
  inOrder<T>(channel: string, waiting: Promise<T>): Promise<T> {
    const before = this.#awaited.get(channel);
    const result = before ? before.then(() => waiting) : waiting;
    // It may fail before its turn.
    waiting.catch(ignore);
    this.#awaited.set(channel, result);
    return result;
  }

  /** For history: resolves once everything before it is answered. */
  async settled(channel: string): Promise<void> {
    await this.#moves.get(channel);
    await this.#awaited.get(channel);
    await this.#publishes.get(channel);
  }

  async #inTurn<T>(channel: string, task: () => Promise<T>): Promise<T> {
    let result: Promise<T> | undefined;
    await this.run(channel, async () => {
      result = task();
      result.catch(ignore);
    });
    return result as Promise<T>;
  }
}

/** The last task of each channel until it is settled. */
class LatestTasks {
  /** Only while there are some: most connections are idle, and there are many of them. */
  #tasks: Map<string, Promise<void>> | undefined;

  /** Resolves once the channel's last task is settled, however it ends; `undefined` if it is. */
  get(channel: string): Promise<void> | undefined {
    return this.#tasks?.get(channel);
  }

  set(channel: string, task: Promise<unknown>): void {
    const settled = task.then(ignore, ignore);
    this.#tasks ??= new Map();
    this.#tasks.set(channel, settled);
    void settled.then(() => {
      if (this.#tasks?.get(channel) !== settled) return;
      this.#tasks.delete(channel);
      if (this.#tasks.size === 0) this.#tasks = undefined;
    });
  }
}

function ignore(): void {}
