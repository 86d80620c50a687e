import { type Client, createClient } from '@fanfare/client';
import type { Durability } from '@fanfare/protocol';
import type { AckPosition } from '../audit/ack-log.js';
import { type ClientLinkOptions, type Outgoing, type PublishLink, positionOf } from './publish-link.js';
import { SdkSocket } from './sdk-socket.js';

interface SdkLinkOptions extends ClientLinkOptions {
  /** Returns where to connect. It is called for every connection. */
  url(): string;
}

/** How many messages may be without an answer: as many as the SDK takes. */
const MAX_OPEN = 10_000;
/**
 * How long a publish may take, ms. It is longer than the backoff after a few cuts in a row, so that every publish gets
 * its answer.
 */
const REQUEST_TIMEOUT_MS = 120_000;

/** Publishes as applications do: the SDK gives every message a key, and repeats it when its connection was cut. */
export class SdkLink implements PublishLink {
  onRoom = () => {};
  readonly #client: Client;
  readonly #socket: SdkSocket;
  readonly #durability: Durability;
  #open = 0;

  constructor({ url, dialect, token, durability, onRefused }: SdkLinkOptions) {
    this.#durability = durability;
    this.#socket = new SdkSocket(url);
    this.#client = createClient({
      url: url(),
      token,
      codec: dialect,
      backoff: { baseMs: 100, maxMs: 2_000 },
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      maxPending: MAX_OPEN,
      socket: this.#socket.factory,
    });
    // The publish that an error is about reports it as well.
    this.#client.on('error', () => {});
    this.#client.on('state', ({ state, code = 0, reason = '' }) => {
      if (state === 'failed') onRefused(code, reason);
    });
    this.#client.connect();
  }

  get room(): number {
    return MAX_OPEN - this.#open;
  }

  send(messages: readonly Outgoing[]): void {
    for (const message of messages) {
      this.#open++;
      this.#publish(message).finally(() => {
        this.#open--;
        this.onRoom();
      });
    }
  }

  cut(): void {
    this.#socket.cut();
  }

  close(): void {
    this.#client.close();
  }

  async #publish({ channel, payload, acknowledged, failed }: Outgoing): Promise<void> {
    let position: AckPosition | undefined;
    try {
      const options = this.#durability === 'stored' ? {} : { durability: this.#durability };
      position = positionOf(await this.#client.channel(channel).publish(payload.slice(1, -1), options));
    } catch (error) {
      failed((error as { code?: string }).code ?? String(error));
      return;
    }
    acknowledged(position);
  }
}
