/**
 * Keeps the commands of one connection in order, channel by channel. Commands for one channel take effect in the order
 * in which they came; commands for different channels do not wait for each other.
 */
export class ChannelTurns {
  /**
   * The last tasks of each channel that has some which are not settled. The map exists only while there are some,
   * because there are many connections and most of them are idle.
   */
  #latest: Map<string, LatestTasks> | undefined;

  /** For subscribe: runs the task now, or once everything before it is answered. */
  subscribe(channel: string, task: () => Promise<void>): Promise<void> {
    return this.#move(channel, task, this.#latest?.get(channel)?.publish);
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
    const latest = this.#latest?.get(channel);
    const before = latest?.order;
    const preparing = latest?.move ? latest.move.then(prepare) : prepare();
    if (before || preparing instanceof Promise) return this.#inTurn(channel, before, Promise.resolve(preparing), store);
    const result = store(preparing);
    this.#note(channel, 'publish', result);
    return result;
  }

  /** For history: resolves once everything before it is answered. */
  async settled(channel: string): Promise<void> {
    const { publish, order } = this.#latest?.get(channel) ?? NONE;
    await order;
    await publish;
  }

  #move(channel: string, task: () => Promise<void>, published?: Promise<void>): Promise<void> {
    const before = this.#latest?.get(channel)?.order;
    const result = before || published ? Promise.all([before, published]).then(task) : task();
    this.#note(channel, 'move', result);
    this.#note(channel, 'order', result);
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
    this.#note(channel, 'order', storing);
    this.#note(channel, 'publish', answered);
    return answered;
  }

  #note(channel: string, kind: keyof LatestTasks, task: Promise<unknown>): void {
    this.#latest ??= new Map();
    let latest = this.#latest.get(channel);
    if (!latest) {
      latest = { ...NONE };
      this.#latest.set(channel, latest);
    }
    const end = (): void => this.#ended(channel, kind, settled);
    const settled = task.then(end, end);
    latest[kind] = settled;
  }

  #ended(channel: string, kind: keyof LatestTasks, settled: Promise<void>): void {
    const latest = this.#latest?.get(channel);
    if (latest?.[kind] !== settled) return;
    latest[kind] = undefined;
    if (latest.move || latest.order || latest.publish) return;
    this.#latest?.delete(channel);
    if (this.#latest?.size === 0) this.#latest = undefined;
  }
}

/** The last tasks of one channel. Each resolves once the task is settled, however it ends, and is removed then. */
interface LatestTasks {
  /** The last subscribe or unsubscribe. */
  move: Promise<void> | undefined;
  /** What later commands wait for: a subscribe or unsubscribe until it is answered, a publish until it is being stored. */
  order: Promise<void> | undefined;
  publish: Promise<void> | undefined;
}

const NONE: Readonly<LatestTasks> = { move: undefined, order: undefined, publish: undefined };

function ignore(): void {}
