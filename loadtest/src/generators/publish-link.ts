import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dialect, type Durability, shouldReconnect } from '@fanfare/protocol';
import type { AckPosition } from '../audit/ack-log.js';
import { RawConnection, type RawTarget } from './raw-connection.js';
import { dataFrame } from './websocket-frames.js';

/** A message on its way to a gateway. */
export interface Outgoing {
  readonly channel: string;
  /** The data of the message, as JSON text. */
  readonly payload: string;
  /** Called with the position once the message is acknowledged. The position is `undefined` on a live channel. */
  acknowledged(position: AckPosition | undefined): void;
  failed(why: string): void;
  /** Called when an attempt failed. Another one follows. */
  refused?(why: string): void;
}

/** A connection by which messages are published. */
export interface PublishLink {
  /** How many more messages it takes now. */
  readonly room: number;
  /** Called when there is room again. */
  onRoom: () => void;
  send(messages: readonly Outgoing[]): void;
  /**
   * Loses its connection, and makes sure of the messages that were not answered. Only links that repeat messages have
   * it.
   */
  cut?(): void;
  close(): void;
}

interface HttpLinkOptions {
  /** Where the gateways are, `http:` or `https:`, without a path. The first is used, and the others when it fails. */
  readonly apis: readonly URL[];
  readonly apiKey: string | undefined;
  /** How many messages a request carries. */
  readonly batch: number;
  /** Whether every message has a key, and is repeated until it is acknowledged. */
  readonly sure: boolean;
  readonly durability: Durability;
}

/**
 * How long a request may take, ms. It is longer than a gateway tries a publish, so that none is sent again while the
 * gateway still tries it.
 */
const REQUEST_TIMEOUT_MS = 16_500;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;
/** How long a message is repeated before it is given up, ms. */
const SURE_FOR_MS = 120_000;

interface Reply extends Partial<AckPosition> {
  readonly code?: string;
  readonly title?: string;
  readonly error?: { readonly code: string };
}

interface Answer {
  /** The status of the HTTP response, or 0 if there is none. */
  readonly status: number;
  /** The body of the response, or why there is none. */
  readonly body: string;
}

/** `POST /v1/publish` on one connection that is kept alive, one request at a time. */
export class HttpLink implements PublishLink {
  onRoom = () => {};
  readonly #options: HttpLinkOptions;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #keys = `${Math.random().toString(36).slice(2, 10)}-`;
  #key = 0;
  #isBusy = false;
  #isClosed = false;
  #api = 0;

  constructor(options: HttpLinkOptions) {
    this.#options = options;
    const settings = { keepAlive: true, maxSockets: 1 };
    this.#agent = options.apis[0]?.protocol === 'https:' ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  get room(): number {
    return this.#isBusy ? 0 : this.#options.batch;
  }

  send(messages: readonly Outgoing[]): void {
    this.#isBusy = true;
    this.#settle(messages).then(() => {
      this.#isBusy = false;
      this.onRoom();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#agent.destroy();
  }

  async #settle(messages: readonly Outgoing[]): Promise<void> {
    const { sure, durability } = this.#options;
    if (!sure) {
      const answer = await this.#post(messages.map((message) => itemOf(message, durability)));
      settleAll(messages, answer);
      return;
    }
    const deadline = Date.now() + SURE_FOR_MS;
    let open = messages.map((message) => ({ message, item: itemOf(message, durability, this.#nextKey()) }));
    for (let attempt = 0; open.length > 0; attempt++) {
      const answer = await this.#post(open.map(({ item }) => item));
      const isLast = this.#isClosed || Date.now() > deadline;
      const again = new Set<Outgoing>();
      settleAll(
        open.map(({ message }) => ({
          ...message,
          acknowledged: (position) => message.acknowledged(position),
          failed: (why) => {
            if (isLast) message.failed(why);
            else {
              message.refused?.(why);
              again.add(message);
            }
          },
        })),
        answer,
      );
      open = open.filter(({ message }) => again.has(message));
      if (open.length === 0) return;
      this.#api++;
      const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
      await sleep(delayMs * (0.5 + Math.random() / 2));
    }
  }

  #nextKey(): string {
    return `${this.#keys}${this.#key++}`;
  }

  #post(items: readonly string[]): Promise<Answer> {
    const body = items.length === 1 ? (items[0] as string) : `{"messages":[${items.join(',')}]}`;
    const { apis, apiKey } = this.#options;
    const api = apis[this.#api % apis.length] as URL;
    const send = api.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve) => {
      const request = send(new URL('/v1/publish', api), {
        method: 'POST',
        agent: this.#agent,
        timeout: REQUEST_TIMEOUT_MS,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...(apiKey && { authorization: `Bearer ${apiKey}` }),
        },
      });
      const none = (error: Error) => resolve({ status: 0, body: `no answer: ${error.message}` });
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on('error', none);
      });
      request.on('timeout', () => request.destroy(new Error('timeout')));
      request.on('error', none);
      request.end(body);
    });
  }
}

function itemOf({ channel, payload }: Outgoing, durability: Durability, key?: string): string {
  const others = `${key === undefined ? '' : `,"key":"${key}"`}${wish(durability)}`;
  return `{"channel":${JSON.stringify(channel)},"data":${payload}${others}}`;
}

/** Returns the durability as a field of a message, or nothing if it is the default. */
function wish(durability: Durability): string {
  return durability === 'stored' ? '' : `,"durability":"${durability}"`;
}

function settleAll(messages: readonly Outgoing[], { status, body }: Answer): void {
  const answer = status === 0 ? undefined : (parse(body) as (Reply & { results?: readonly Reply[] }) | undefined);
  for (const [index, message] of messages.entries()) {
    const reply = messages.length === 1 ? answer : answer?.results?.[index];
    if (status !== 200 || !reply || reply.error) {
      message.failed(reply?.error?.code ?? answer?.code ?? (status === 0 ? body : `HTTP ${status}`));
    } else {
      message.acknowledged(positionOf(reply));
    }
  }
}

/** Returns the position at which a message was acknowledged. There is none on a live channel. */
export function positionOf({ epoch, offset }: Partial<AckPosition>): AckPosition | undefined {
  return epoch === undefined || offset === undefined ? undefined : { epoch, offset };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What every link that is a connection of a client needs. */
export interface ClientLinkOptions {
  readonly dialect: Dialect;
  readonly token: string | undefined;
  readonly durability: Durability;
  /** Called when no other attempt will succeed, as the gateway said. From now on everything that is sent fails. */
  onRefused(code: number, reason: string): void;
}

interface WebSocketLinkOptions extends ClientLinkOptions {
  readonly target: RawTarget;
}

/** How many messages may be without an answer. */
const MAX_OPEN = 10_000;
const RECONNECT_MS = 200;

/** Publishes by `publish` frames of one message each on one WebSocket, as many as there is to send. */
export class WebSocketLink implements PublishLink {
  onRoom = () => {};
  readonly #options: WebSocketLinkOptions;
  readonly #open = new Map<number, Outgoing>();
  #connection: RawConnection | undefined;
  #isReady = false;
  #isClosed = false;
  #refusal: string | undefined;
  #nextId = 2;

  constructor(options: WebSocketLinkOptions) {
    this.#options = options;
    this.#connect();
  }

  get room(): number {
    return this.#isReady || this.#refusal !== undefined ? MAX_OPEN - this.#open.size : 0;
  }

  send(messages: readonly Outgoing[]): void {
    const frames: Buffer[] = [];
    for (const message of messages) {
      if (this.#refusal !== undefined) {
        message.failed(this.#refusal);
        continue;
      }
      const id = this.#nextId++;
      this.#open.set(id, message);
      frames.push(dataFrame(this.#encode(id, message)));
    }
    // Frames that are sent at once leave in one write. With a write for each, a generator is busy with the kernel.
    if (frames.length > 0) this.#connection?.write(Buffer.concat(frames));
  }

  #encode(id: number, { channel, payload }: Outgoing): string | Uint8Array {
    const { dialect, durability } = this.#options;
    if (dialect.binary) return dialect.encode({ type: 'publish', id, channel, data: payload.slice(1, -1), durability });
    const start = `{"type":"publish","id":${id},"channel":${JSON.stringify(channel)}`;
    return `${start},"data":${payload}${wish(durability)}}`;
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.close();
  }

  #connect(): void {
    const { dialect, target, token } = this.#options;
    this.#connection = new RawConnection(target, {
      onOpen: () =>
        this.#connection?.send(
          dialect.encode({ type: 'connect', id: 1, client: 'fanfare-load/1', ...(token && { token }) } as never),
        ),
      onMessage: (bytes, begin, end) => {
        const wire = dialect.binary ? bytes.subarray(begin, end) : bytes.toString('utf8', begin, end);
        for (const frame of dialect.decodeAll(wire)) this.#take(frame);
      },
      onClose: (code, reason) => {
        this.#isReady = false;
        const lost = [...this.#open.values()];
        this.#open.clear();
        const why = `the publisher's connection closed: ${code} ${reason}`.trim();
        for (const message of lost) message.failed(why);
        if (!shouldReconnect(code)) {
          this.#refusal = why;
          this.#options.onRefused(code, reason);
          this.onRoom();
        } else if (!this.#isClosed) setTimeout(() => this.#connect(), RECONNECT_MS);
      },
    });
  }

  #take(frame: Record<string, unknown>): void {
    if (frame.type === 'ping') {
      this.#connection?.send(this.#options.dialect.encode({ type: 'pong' }));
      return;
    }
    if (frame.type === 'connected') {
      this.#isReady = true;
      this.onRoom();
      return;
    }
    const message = this.#open.get(Number(frame.id));
    if (!message) return;
    this.#open.delete(Number(frame.id));
    if (frame.type === 'published') message.acknowledged(positionOf(frame as Reply));
    else message.failed(String(frame.code ?? frame.type));
    this.onRoom();
  }
}
