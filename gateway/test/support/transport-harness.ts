import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type {
  HttpAnswer,
  HttpBody,
  HttpRequest,
  HttpResponse,
  SendResult,
  Socket,
  SocketSession,
  Transport,
  TransportHandlers,
  TransportOptions,
  UpgradeRequest,
  UpgradeResult,
} from '../../src/transport/transport.js';
import { OPCODES, type RawClientOptions, type RawFrame, RawWebSocketClient } from './raw-websocket-client.js';

export type CreateTransport = <S extends SocketSession>(
  options: TransportOptions,
  handlers: TransportHandlers<S>,
) => Transport;

/** A session that keeps a record of what it is told; a test may hook into each call. */
export class RecordingSession implements SocketSession {
  readonly messages: { data: Buffer; binary: boolean }[] = [];
  drops = 0;
  drains = 0;
  closes: { code: number; reason: string }[] = [];
  onMessageHook: (data: Buffer, binary: boolean) => void = () => {};
  onDroppedHook: () => void = () => {};
  onDrainHook: () => void = () => {};
  constructor(readonly socket: Socket) {}

  onMessage(data: Uint8Array, binary: boolean): void {
    const copy = Buffer.from(data);
    this.messages.push({ data: copy, binary });
    this.onMessageHook(copy, binary);
  }

  onDropped(): void {
    this.drops++;
    this.onDroppedHook();
  }

  onDrain(): void {
    this.drains++;
    this.onDrainHook();
  }

  onClose(code: number, reason: string): void {
    this.closes.push({ code, reason });
  }
}

/** A request with its body, where it may have one; else empty. */
export interface WholeRequest extends HttpRequest {
  /** Asks the transport, though the handler has returned. */
  headerNow(name: string): string;
  readonly body: HttpBody;
}

export interface Served {
  readonly transport: Transport;
  readonly port: number;
  readonly sessions: RecordingSession[];
  readonly requests: WholeRequest[];
  /** A client and the session the transport made for it. */
  connect(options?: Partial<RawClientOptions>): Promise<{ client: RawWebSocketClient; session: RecordingSession }>;
}

export interface ServeOptions {
  readonly options?: Partial<TransportOptions>;
  readonly onUpgrade?: (request: UpgradeRequest) => UpgradeResult<RecordingSession> | undefined;
  /** Called once the body is there. */
  readonly onRequest?: (request: WholeRequest) => HttpAnswer;
  /** An answer keeps the body from being read. */
  readonly onHead?: (request: HttpRequest) => HttpAnswer | undefined;
}

/** What the cases ask for. */
const HEADERS = ['authorization', 'content-type', 'origin', 'x-other'];

export const TEST_OPTIONS: TransportOptions = {
  maxFrameBytes: 128 * 1024,
  maxBufferedBytes: 256 * 1024,
  maxBodyBytes: 64 * 1024,
  idleTimeoutMs: 60_000,
};

type OnTestFinished = (callback: () => void | Promise<void>) => void;

/** A transport on a free port of the loopback; it and its clients end with the test. */
export async function serve(
  create: CreateTransport,
  onTestFinished: OnTestFinished,
  { options = {}, onUpgrade, onRequest = () => textResponse(200, 'ok'), onHead }: ServeOptions = {},
): Promise<Served> {
  const sessions: RecordingSession[] = [];
  const requests: WholeRequest[] = [];
  const transport = create<RecordingSession>(
    { ...TEST_OPTIONS, ...options },
    {
      onUpgrade: (request) =>
        onUpgrade?.(request) ?? {
          accept: true,
          subprotocol: request.subprotocols[0],
          session: (socket) => {
            const session = new RecordingSession(socket);
            sessions.push(session);
            return session;
          },
        },
      onRequest: (request) => {
        const answer = onHead?.(request);
        if (answer) return answer;
        // Lent until the handler has returned.
        const headers = new Map(HEADERS.map((name) => [name, request.header(name)]));
        const finish = (body: HttpBody) => {
          const { method, path, query } = request;
          const whole: WholeRequest = {
            method,
            path,
            query,
            header: (name) => headers.get(name) ?? '',
            headerNow: (name) => request.header(name),
            get remoteAddress() {
              return request.remoteAddress;
            },
            body,
          };
          requests.push(whole);
          return onRequest(whole);
        };
        return request.method === 'GET' ? finish(Buffer.alloc(0)) : finish;
      },
    },
  );
  const clients: RawWebSocketClient[] = [];
  const { port } = await transport.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(async () => {
    for (const client of clients) client.destroy();
    await transport.close();
  });
  async function connect(clientOptions: Partial<RawClientOptions>) {
    const known = sessions.length;
    const client = await RawWebSocketClient.connect({ port, ...clientOptions });
    clients.push(client);
    await until(() => sessions.length > known);
    return { client, session: sessions[known] as RecordingSession };
  }
  // One after the other, so that client and session are a pair.
  let connecting: Promise<unknown> = Promise.resolve();
  return {
    transport,
    port,
    sessions,
    requests,
    connect: (clientOptions = {}) => {
      const connected = connecting.then(() => connect(clientOptions));
      connecting = connected.catch(() => {});
      return connected;
    },
  };
}

export function textResponse(status: number, body: string): HttpResponse {
  return { status, headers: [['Content-Type', 'text/plain']], body };
}

/** Waits until the condition holds. @throws {Error} after `timeoutMs`. */
export async function until(condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not so within ${timeoutMs} ms: ${condition}`);
    await delay(2);
  }
}

/** A frame of `size` bytes that begins with its number. */
export function numberedFrame(number: number, size: number): Buffer {
  const frame = Buffer.alloc(size, 0x2e);
  frame.writeUInt32BE(number);
  return frame;
}

/** The numbers of the binary frames. */
export function frameNumbers(frames: readonly RawFrame[]): number[] {
  return frames.filter(({ opcode }) => opcode === OPCODES.binary).map(({ payload }) => payload.readUInt32BE());
}

/** Publishes numbered frames, `perTurn` a turn of the loop, until `done` says so; returns how many. */
export async function publishUntil(
  transport: Transport,
  topic: string,
  size: number,
  perTurn: number,
  done: (published: number) => boolean,
): Promise<number> {
  let published = 0;
  while (!done(published)) {
    await nextTurn();
    for (let i = 0; i < perTurn; i++) transport.publish(topic, numberedFrame(published++, size), true);
    if (published * size > 512 * 1024 * 1024) throw new Error('half a GiB published and still not done');
  }
  return published;
}

/** Fills what the kernel takes for a peer that does not read, with text frames, until some wait here. */
export function fillKernel(socket: Socket): void {
  const filler = 'x'.repeat(100_000);
  while (socket.bufferedBytes === 0) socket.send(filler, false);
}

/** Sends numbered frames directly, a few a turn, until one is not accepted; returns how many were. */
export async function sendUntilDropped(socket: Socket, size: number): Promise<number> {
  for (let sent = 0; ; sent++) {
    if (sent % 16 === 0) await nextTurn();
    const result: SendResult = socket.send(numberedFrame(sent, size), true);
    if (result === 'dropped') return sent;
  }
}
