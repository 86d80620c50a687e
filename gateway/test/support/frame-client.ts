import { WebSocket } from 'ws';

export type Fields = Record<string, unknown>;

export interface FrameClientOptions {
  /** Of the `connect` frame; absent: it has none. */
  readonly token?: string | undefined;
  /** Path and query; default `/ws`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Speaks TLS, and trusts this certificate. */
  readonly ca?: string;
  /** Where it connects from. */
  readonly localAddress?: string;
}

const TIMEOUT_MS = 60_000;

/** A client that speaks JSON frames over a real WebSocket, answers pings, and waits for frames that it is interested in. */
export class FrameClient {
  /** Every frame so far. */
  readonly frames: Fields[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #socket: WebSocket;
  #lastId = 1;
  #waiting: (() => void)[] = [];
  #isClosed = false;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#isClosed = true;
        this.#wake();
        resolve({ code, reason: reason.toString() });
      });
    });
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as Fields | Fields[];
      const frames = Array.isArray(frame) ? frame : [frame];
      this.frames.push(...frames);
      if (frames.some(({ type }) => type === 'ping')) this.send({ type: 'pong' });
      this.#wake();
    });
  }

  /** Opens a socket and sends `connect`; the answer is the first of {@link frames}. */
  static async open(port: number, options: FrameClientOptions = {}): Promise<FrameClient> {
    const { token, path = '/ws', headers = {}, ca, localAddress } = options;
    const socket = new WebSocket(`${ca ? 'wss' : 'ws'}://127.0.0.1:${port}${path}`, {
      headers,
      ...(ca && { ca }),
      ...(localAddress && { localAddress }),
    });
    const client = new FrameClient(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    client.send({ type: 'connect', id: 1, ...(token !== undefined && { token }) });
    await client.until(({ id }) => id === 1);
    return client;
  }

  /** Reads nothing from now on. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  send(frame: Fields): void {
    this.#socket.send(JSON.stringify(frame));
  }

  /** Sends a request; its reply, or the `error`. */
  async ask(frame: Fields): Promise<Fields> {
    const id = ++this.#lastId;
    this.send({ id, ...frame });
    return this.until((reply) => reply.id === id);
  }

  /** The first frame so far, or to come, that fits. @throws if the connection ends without one. */
  async until(fits: (frame: Fields) => boolean): Promise<Fields> {
    const endsAt = Date.now() + TIMEOUT_MS;
    for (;;) {
      const found = this.frames.find(fits);
      if (found) return found;
      if (this.#isClosed || Date.now() > endsAt) throw new Error(`no such frame: ${JSON.stringify(this.frames)}`);
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        setTimeout(resolve, TIMEOUT_MS).unref();
      });
    }
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
