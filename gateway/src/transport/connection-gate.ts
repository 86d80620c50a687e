import type { TransportOptions } from './transport.js';

/**
 * How many of the connections that a transport may have are kept free for HTTP, so that health checks still get
 * through.
 */
export const KEPT_FOR_HTTP = 16;

/** Counts the connections of a transport, and lets no more in than it may have. */
export class ConnectionGate {
  /** How many connections are open, HTTP and WebSocket together. */
  #open = 0;
  readonly #max: number;
  readonly #onConnections: NonNullable<TransportOptions['onConnections']>;

  constructor({ maxConnections = Number.POSITIVE_INFINITY, onConnections = () => {} }: TransportOptions) {
    this.#max = maxConnections;
    this.#onConnections = onConnections;
  }

  /**
   * Counts a new connection. `false`: it is one too many and has to be closed at once; `leave` is called for it as for
   * any other.
   */
  enter(): boolean {
    const isRefused = ++this.#open > this.#max;
    this.#onConnections(this.#open, isRefused);
    return !isRefused;
  }

  leave(): void {
    this.#onConnections(--this.#open, false);
  }

  get isCrowded(): boolean {
    return this.#open > this.#max - Math.min(KEPT_FOR_HTTP, this.#max / 4);
  }
}
