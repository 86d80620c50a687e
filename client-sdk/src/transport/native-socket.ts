import type { Socket, SocketFactory } from './socket.js';

/** Opens the runtime's own `WebSocket`: in browsers, workers, React Native, Deno, Bun, and Node 22 and later. */
export const nativeSocket: SocketFactory = ({ url, subprotocols }, handlers): Socket => {
  const socket = new WebSocket(url, [...subprotocols]);
  let failure = '';
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => handlers.onOpen();
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) =>
    handlers.onMessage(typeof data === 'string' ? data : new Uint8Array(data));
  // Browsers hide what the error was, and other runtimes say it. If WebSocket is an event emitter, an error that nobody
  // listens to would be thrown.
  socket.onerror = (event: Event & { readonly message?: string }) => {
    failure = event.message?.replace(/\.$/, '') ?? '';
    // `onclose` follows, except in Node 22: if it could not connect, the socket stays as if it were still connecting.
    if (socket.readyState !== WebSocket.CONNECTING) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    handlers.onClose(1006, failure);
  };
  socket.onclose = ({ code, reason }) => handlers.onClose(code, reason || failure);
  return {
    send: (wire) => {
      // Sending on a socket that is not open yet throws. On a closing one it is ignored.
      if (socket.readyState === WebSocket.OPEN) socket.send(wire as string | Uint8Array<ArrayBuffer>);
    },
    close: (code, reason) => socket.close(code, reason),
    // A WebSocket has no terminate: the browser keeps a dead socket until its own timeout, and nobody listens to it.
    terminate: () => {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    },
  };
};
