import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** Where Node tells of the TCP sockets that this thread opens (`diagnostics_channel`, Node documentation). */
const OPENED = 'net.client.socket';

/**
 * The TCP sockets by which this thread is connected to a gateway, to be cut and frozen from outside:
 * whoever uses them, the SDK as it is, learns of it from the network only.
 */
export class Sockets {
  /** Sockets cut, and sockets that stopped reading, so far. */
  cuts = 0;
  freezes = 0;
  readonly #port: number;
  readonly #open = new Set<Socket>();
  /** With what ends it, if anything but {@link release} does. */
  readonly #frozen = new Map<Socket, NodeJS.Timeout | undefined>();
  readonly #onOpened = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      clearTimeout(this.#frozen.get(socket));
      this.#frozen.delete(socket);
    });
  };

  /** Watches what is opened from now on; `port` is the gateway's. */
  constructor(port: number) {
    this.#port = port;
    subscribe(OPENED, this.#onOpened);
  }

  /** Cuts up to so many sockets at random, half of them by a reset; frozen ones are spared. */
  cut(count: number): void {
    for (const socket of this.#pick(count)) {
      if (this.cuts++ % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  /** Sockets that do not read now. */
  get frozen(): number {
    return this.#frozen.size;
  }

  /**
   * Stops reading from up to so many sockets at random, for a time or until {@link release}: the
   * kernel's buffers fill, then the gateway's.
   */
  freeze(count: number, forMs?: () => number): void {
    for (const socket of this.#pick(count)) {
      this.freezes++;
      socket.pause();
      this.#frozen.set(socket, forMs && setTimeout(() => this.#thaw(socket), forMs()));
    }
  }

  /** Watches no more, and lets all of them read again. */
  release(): void {
    unsubscribe(OPENED, this.#onOpened);
    for (const socket of this.#frozen.keys()) this.#thaw(socket);
  }

  #thaw(socket: Socket): void {
    clearTimeout(this.#frozen.get(socket));
    this.#frozen.delete(socket);
    socket.resume();
  }

  #pick(count: number): Socket[] {
    const candidates = [...this.#open].filter(
      (socket) => socket.remotePort === this.#port && !this.#frozen.has(socket) && !socket.destroyed,
    );
    const picked: Socket[] = [];
    while (picked.length < count && candidates.length > 0) {
      const index = Math.floor(Math.random() * candidates.length);
      picked.push(candidates[index] as Socket);
      candidates[index] = candidates.at(-1) as Socket;
      candidates.pop();
    }
    return picked;
  }
}
