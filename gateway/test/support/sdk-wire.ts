import type { Socket as TcpSocket } from 'node:net';
import type { SocketFactory } from '@fanfare/client';
import { WebSocket } from 'ws';

/** The link of one SDK client to its gateway, in the hands of a test. */
export class SdkWire {
  /** WebSockets opened so far. */
  opened = 0;
  #tcp: TcpSocket | undefined;
  #isBlocked = false;

  /** For the SDK's option `socket`. */
  readonly socket: SocketFactory = ({ url, subprotocols }, handlers) => {
    if (this.#isBlocked) throw new Error('blocked by the test');
    const ws = new WebSocket(url, [...subprotocols], { perMessageDeflate: false });
    ws.once('upgrade', ({ socket }) => {
      this.#tcp = socket;
    });
    ws.on('open', () => {
      this.opened++;
      handlers.onOpen();
    });
    ws.on('message', (data: Buffer, isBinary) => {
      // ws hands out what a destroyed socket had read already: lost on the way, for this test.
      if (this.#tcp?.destroyed !== true) handlers.onMessage(isBinary ? data : data.toString());
    });
    ws.on('error', () => {}); // 'close' follows
    ws.on('close', (code, reason) => handlers.onClose(code, reason.toString()));
    return {
      send: (wire) => {
        if (ws.readyState === WebSocket.OPEN) ws.send(wire);
      },
      close: (code, reason) => ws.close(code, reason),
      terminate: () => ws.terminate(),
    };
  };

  /** Ends the TCP connection without a word. */
  cut(): void {
    this.#tcp?.destroy();
  }

  /** Cuts it, and lets no other be made until {@link open}. */
  block(): void {
    this.#isBlocked = true;
    this.cut();
  }

  open(): void {
    this.#isBlocked = false;
  }

  /** Stops reading from the TCP connection until {@link thaw}; writing goes on. */
  freeze(): void {
    this.#tcp?.pause();
  }

  thaw(): void {
    this.#tcp?.resume();
  }
}
