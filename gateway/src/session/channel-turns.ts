/**
 * Subscribes and unsubscribes of one channel take effect in the order they came, each once the one
 * before is answered; those of different channels don't wait for each other.
 */
export class ChannelTurns {
  #last: Map<string, Promise<void>> | undefined;

  /** Runs now, or when its turn comes. */
  run(channel: string, task: () => Promise<void>): Promise<void> {
    const before = this.#last?.get(channel);
    const result = before ? before.then(task) : task();
    const settled = result.then(ignore, ignore);
    this.#last ??= new Map();
    this.#last.set(channel, settled);
    void settled.then(() => {
      if (this.#last?.get(channel) === settled) this.#last.delete(channel);
      if (this.#last?.size === 0) this.#last = undefined;
    });
    return result;
  }
}

function ignore(): void {}
