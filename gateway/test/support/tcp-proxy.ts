import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';

/** A wire that tests can cut. */
export interface TcpProxy {
  readonly port: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /**
   * The next bytes that hold this text reach the server; the connection is cut when it answers, before
   * the answer gets through. Resolves when that has happened.
   */
  cutReplyTo(text: string): Promise<void>;
  /** Of what the server sends, pieces that hold this text are lost from now on, as they come; `undefined`: none. */
  swallow(text: string | undefined): void;
  /** Cuts what is connected, and refuses what comes, until `open` is called. */
  block(): void;
  open(): void;
  /**
   * What is connected stays so and nothing gets through, either way, as where a radio link is lost. Connections that come
   * get through, unless those are meant too.
   */
  goDark(meant?: 'connected' | 'all'): void;
  /** What was held in the dark gets through now, as TCP sends it again. */
  comeBack(): void;
  /** Connections that come from now on go to this port. */
  redirect(port: number): void;
  close(): Promise<void>;
}

export interface TcpProxyOptions {
  /** Answers arrive in pieces of this size, each by itself. Default: as they come. */
  readonly chunkBytes?: number;
}

/** Listens on a free port of 127.0.0.1 and passes everything on to another one. */
export async function startTcpProxy(targetPort: number, { chunkBytes }: TcpProxyOptions = {}): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let accepted = 0;
  let isBlocked = false;
  let isDark = false;
  let target = targetPort;
  let swallowed: string | undefined;
  let trap: { readonly text: string; readonly sprung: () => void } | undefined;

  // A socket that is not read holds what comes, and its end too.
  const hold = (pair: readonly [Socket, Socket]) => {
    for (const socket of pair) socket.pause();
  };

  const server = createServer((client) => {
    accepted++;
    if (isBlocked) {
      client.destroy();
      return;
    }
    const upstream = dial(target, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    if (isDark) hold(pair);
    let onReply: (() => void) | undefined;
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair) socket.setNoDelay(true).on('error', end).on('close', end);
    client.on('data', (bytes) => {
      if (trap && bytes.includes(trap.text)) {
        onReply = trap.sprung;
        trap = undefined;
      }
      upstream.write(bytes);
    });
    let pieces = Promise.resolve();
    const passOn = (bytes: Buffer) => {
      if (chunkBytes === undefined) client.write(bytes);
      else for (let at = 0; at < bytes.length; at += chunkBytes) pieces = pieces.then(() => passPiece(bytes, at));
    };
    const passPiece = async (bytes: Buffer, at: number) => {
      client.write(bytes.subarray(at, at + (chunkBytes ?? 0)));
      await new Promise((resolve) => setTimeout(resolve, 1));
    };
    upstream.on('data', (bytes) => {
      if (swallowed !== undefined && bytes.includes(swallowed)) return;
      if (!onReply) {
        passOn(bytes);
        return;
      }
      end();
      onReply();
      onReply = undefined;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted;
    },
    cutReplyTo(text) {
      return new Promise((sprung) => {
        trap = { text, sprung };
      });
    },
    swallow(text) {
      swallowed = text;
    },
    block() {
      isBlocked = true;
      for (const [client] of pairs) client.destroy();
    },
    goDark(meant = 'connected') {
      isDark = meant === 'all';
      for (const pair of pairs) hold(pair);
    },
    comeBack() {
      isDark = false;
      for (const pair of pairs) for (const socket of pair) socket.resume();
    },
    redirect(port) {
      target = port;
    },
    open() {
      isBlocked = false;
    },
    async close() {
      for (const [client] of pairs) client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
