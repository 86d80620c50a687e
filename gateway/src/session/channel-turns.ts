/**
 * Keeps the commands of one connection in order, channel by channel. Commands for one channel take effect in the order
 * in which they came; commands for different channels do not wait for each other.
 */
export class ChannelTurns {
  /** The last subscribe or unsubscribe of each channel. */
  readonly #moves = new LatestTasks();
  /**
   * What later commands of each channel wait for: a subscribe or unsubscribe until it is answered, a publish until it
   * is being stored.
   */
  readonly #order = new LatestTasks();
  readonly #publishes = new LatestTasks();

  /** For subscribe: runs the task now, or once everything before it is answered. */
  subscribe(channel: string, task: () => Promise<void>): Promise<void> {
    return this.#move(channel, task, this.#publishes.get(channel));
  }

  /**
   * For unsubscribe, and for what the gateway does by itself: runs the task now, or once the commands before it are
   * answered, and publishes before it are being stored.
   */
  run(channel: string, task: () => Promise<void>): Promise<void> {
    return this.#move(channel, task);
  }

  /**
   * For publish: prepares and stores now, or prepares once a subscribe or unsubscribe before it is answered.
   * Publishes of one channel are stored in the order of the calls, whatever time they take to prepare.
   */
  publish<P, T>(channel: string, prepare: () => P | Promise<P>, store: (prepared: P) => Promise<T>): Promise<T> {
    const moved = this.#moves.get(channel);
    const before = this.#order.get(channel);
    const preparing = moved ? moved.then(prepare) : prepare();
    if (before || preparing instanceof Promise) return this.#inTurn(channel, before, Promise.resolve(preparing), store);
    const result = store(preparing);
    this.#publishes.set(channel, result);
    return result;
  }

  /** For history: resolves once everything before it is answered. */
  async settled(channel: string): Promise<void> {
    const published = this.#publishes.get(channel);
    await this.#order.get(channel);
    await published;
  }

  #move(channel: string, task: () => Promise<void>, published?: Promise<void>): Promise<void> {
    const before = this.#order.get(channel);
    const result = before || published ? Promise.all([before, published]).then(task) : task();
    this.#moves.set(channel, result);
    this.#order.set(channel, result);
    return result;
  }

  #inTurn<P, T>(
    channel: string,
    before: Promise<void> | undefined,
    preparing: Promise<P>,
    store: (prepared: P) => Promise<T>,
  ): Promise<T> {
    // The preparation may fail before its turn has come.
    preparing.catch(ignore);
    const storing = (async () => {
      await before;
      const result = store(await preparing);
      result.catch(ignore);
      // The promise is put into an object, so that it is not waited for here.
      return { result };
    })();
    const answered = storing.then(({ result }) => result);
    this.#order.set(channel, storing);
    this.#publishes.set(channel, answered);
    return answered;
  }
}

/** The last task of each channel, until it is settled. */
class LatestTasks {
  /**
   * The tasks. The map exists only while there are some, because there are many connections and most of them are idle.
   */
  #tasks: Map<string, Promise<void>> | undefined;

  /** Resolves once the last task of the channel is settled, however it ends; `undefined` if it is settled already. */
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
