import { nativeSocket, type SocketFactory, type SocketHandlers } from '@fanfare/client';

interface CableOptions {
  /** Sees every text frame in either direction. */
  readonly onText: (text: string) => void;
}

/** The line between the SDK and the gateway, and a knife. The SDK is not asked and not warned. */
export class Cable {
  readonly #options: CableOptions;
  #cut: (() => void) | undefined;
  #mendedAt = 0;

  constructor(options: CableOptions) {
    this.#options = options;
  }

  readonly socket: SocketFactory = (request, handlers) => {
    if (performance.now() < this.#mendedAt) {
      setTimeout(() => handlers.onClose(1006, 'no network'));
      return { send() {}, close() {}, terminate() {} };
    }
    const { onText } = this.#options;
    const watched: SocketHandlers = {
      ...handlers,
      onMessage: (wire) => {
        if (typeof wire === 'string') onText(wire);
        handlers.onMessage(wire);
      },
    };
    const socket = nativeSocket(request, watched);
    this.#cut = () => {
      socket.terminate();
      handlers.onClose(1006, 'cut');
    };
    return {
      ...socket,
      send: (wire) => {
        if (typeof wire === 'string') onText(wire);
        socket.send(wire);
      },
    };
  };

  /** Closes the socket under the SDK; for so long no other can be opened, ms. */
  cut(offlineMs: number): void {
    this.#mendedAt = performance.now() + offlineMs;
    this.#cut?.();
    this.#cut = undefined;
  }
}
