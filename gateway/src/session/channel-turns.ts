/**
 * What a connection asks of one channel takes effect in the order it came; what it asks of different
 * channels doesn't wait for each other.
 */
export class ChannelTurns {
  /** The last subscribe or unsubscribe, by channel; */
  #last: Map<string, Promise<void>> | undefined;
  /** the last publish. */
  #publishes: Map<string, Promise<void>> | undefined;

  /** For subscribe and unsubscribe: runs now, or once those before are answered. */
  run(channel: string, task: () => Promise<void>): Promise<void> {
    const before = this.#last?.get(channel);
    const result = before ? before.then(task) : task();
    this.#last ??= new Map();
    keep(this.#last, channel, result);
    return result;
  }

  /**
   * For publish: runs now, or once a subscribe or unsubscribe before it is answered. Those behind it wait
   * until it runs, not until it is answered: publishes of one channel are stored in the order of the calls.
   */
  publish<T>(channel: string, task: () => Promise<T>): Promise<T> {
    const result = this.#last?.has(channel) ? this.#inTurn(channel, task) : task();
    this.#publishes ??= new Map();
    keep(this.#publishes, channel, result);
    return result;
  }

  /** For history: resolves once everything before it is answered. */
  async settled(channel: string): Promise<void> {
    await this.#last?.get(channel);
    await this.#publishes?.get(channel);
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

/** Until it is settled. */
function keep(map: Map<string, Promise<void>>, channel: string, result: Promise<unknown>): void {
  const settled = result.then(ignore, ignore);
  map.set(channel, settled);
  void settled.then(() => {
    if (map.get(channel) === settled) map.delete(channel);
  });
}

function ignore(): void {}
