import type { ClientFrame, CloseCode, Payload, RawServerFrame, Wire } from '@fanfare/protocol';
import type { Identity } from '../../auth/authenticator.js';
import type { Clock } from '../../clock.js';
import { FanfareError, toFanfareError } from '../../errors.js';
import type { Stats } from '../../stats.js';
import { tooManyReason } from '../admission.js';
import { BoundedQueue } from '../bounded-queue.js';
import type { Client } from '../client.js';
import type { Speaker } from '../conversation.js';
import { expiry } from '../expiry.js';
import { type ReadFrame, readFrame } from './read-frame.js';

export interface FanfareSpeakerOptions {
  /** Name of this gateway. */
  readonly node: string;
  readonly clock: Clock;
  readonly stats: Stats;
  /** Largest frame that a client may send, bytes. Clients are told it as `maxFrame`. */
  readonly maxFrameBytes: number;
  /** How often clients are sent a `ping`, ms. */
  readonly pingIntervalMs: number;
  /** How long after the start of a connection a `subscribe` with `since` does not count as a command, ms. */
  readonly resumeGraceMs: number;
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
  /** Called with faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}

/** The gateway's part in one conversation: the handshake, and which frame is which command. */
export class FanfareSpeaker implements Speaker {
  readonly #client: Client;
  readonly #options: FanfareSpeakerOptions;
  /** The token of the upgrade request, which is used if `connect` brings none. */
  #token: string | undefined;
  #state: 'new' | 'authenticating' | 'connected' = 'new';
  /** Frames that came behind `connect`. They are handled once it is accepted. */
  #pending: BoundedQueue<Uint8Array> | undefined;

  constructor(client: Client, token: string | undefined, options: FanfareSpeakerOptions) {
    this.#client = client;
    this.#token = token;
    this.#options = options;
  }

  onMessage(data: Uint8Array, binary: boolean): void {
    const { dialect } = this.#client;
    if (binary !== dialect.binary) {
      this.#onMalformed(`${dialect.name} frames are ${dialect.binary ? 'binary' : 'text'}`);
    } else if (data.length > this.#options.maxFrameBytes) {
      this.#onTooLarge(data);
    } else if (this.#state === 'authenticating') {
      this.#pending ??= new BoundedQueue();
      if (!this.#pending.add(new Uint8Array(data))) this.#onMalformed('too much behind connect');
    } else {
      this.#receive(data);
    }
  }

  toWire(frame: RawServerFrame): Wire {
    return this.#client.dialect.encodeRaw(frame);
  }

  #receive(data: Uint8Array): void {
    const client = this.#client;
    const read = this.#read(data);
    if (!read.ok) {
      // A newer client may know more types than this gateway, which is no reason to cut it off.
      if (this.#state !== 'connected' || read.isKnownType) this.#onMalformed(read.message, read.id);
      else if (client.isGranted(read.id, { bytes: data.length, isCommand: true, isPublish: false }))
        client.replyError(read.id, new FanfareError('bad_request', read.message));
    } else if (this.#state === 'connected') {
      this.#onFrame(read.frame, read.payload, data.length);
    } else if (read.frame.type === 'connect') {
      this.#connect(read.frame.id, read.frame.token || this.#token);
    } else {
      this.#onMalformed('the first frame must be connect', idOf(read.frame));
    }
  }

  #onFrame(frame: ClientFrame, payload: Payload | undefined, bytes: number): void {
    const client = this.#client;
    const isCommand = frame.type !== 'pong' && !this.#isResume(frame);
    if (!client.isGranted(idOf(frame), { bytes, isCommand, isPublish: frame.type === 'publish' })) return;
    if (frame.type === 'connect') client.replyError(frame.id, new FanfareError('bad_request', 'connected already'));
    else if (frame.type !== 'pong') client.run({ frame, payload }, bytes);
  }

  /** Whether a frame is a free resume: a client that comes back subscribes to all its channels at once. */
  #isResume(frame: ClientFrame): boolean {
    const { clock, resumeGraceMs } = this.#options;
    if (frame.type !== 'subscribe' || frame.since === undefined) return false;
    return clock.now() - this.#client.openedAtMs < resumeGraceMs && this.#client.guard.takeFreeResume();
  }

  #read(data: Uint8Array): ReadFrame {
    return readFrame(this.#client.dialect, data, this.#options.onFault);
  }

  // --- handshake -----------------------------------------------------------------------------------

  #connect(id: number, token: string | undefined): void {
    this.#state = 'authenticating';
    this.#token = undefined;
    const refuse = (error: unknown) => {
      const refusal = toFanfareError(error);
      if (refusal.code === 'internal') this.#options.onFault('authentication failed', error);
      this.#client.replyError(id, refusal);
      const code = closeCodeOf(refusal);
      this.#client.close(code, code === 4429 ? tooManyReason(refusal) : refusal.code);
    };
    try {
      const identity = this.#client.authenticate(token);
      if (identity instanceof Promise) identity.then((one) => this.#accept(id, one)).catch(refuse);
      else this.#accept(id, identity);
    } catch (error) {
      refuse(error);
    }
  }

  #accept(id: number, identity: Identity): void {
    const client = this.#client;
    if (client.isClosed) return;
    this.#state = 'connected';
    const { node, pingIntervalMs, maxFrameBytes, idempotencyMs } = this.#options;
    client.reply({
      type: 'connected',
      id,
      session: client.id,
      ...(identity.user !== undefined && { user: identity.user }),
      node,
      ping: pingIntervalMs,
      ...expiry(identity.expiresAt, this.#options.clock),
      maxFrame: maxFrameBytes,
      idempotencyMs,
    });
    client.identify(identity);
    const pending = this.#pending?.items ?? [];
    this.#pending = undefined;
    for (const data of pending) {
      if (!client.isClosed) this.#receive(data);
    }
  }

  // --- violations ----------------------------------------------------------------------------------

  #onMalformed(message: string, id?: number): void {
    this.#options.stats.malformed++;
    this.#violation(this.#client.guard.malformed(), new FanfareError('bad_request', message), 4400, id);
  }

  #onTooLarge(data: Uint8Array): void {
    const read = this.#read(data);
    const message = `frame of ${data.length} bytes is over maxFrame ${this.#options.maxFrameBytes}`;
    const error = new FanfareError('too_large', message);
    this.#violation(this.#client.guard.tooLarge(), error, 4409, read.ok ? idOf(read.frame) : read.id);
  }

  /**
   * Answers a violation with an error. It ends the connection if the client has not connected yet, or if it was the
   * last one of its kind that is tolerated.
   */
  #violation(isLast: boolean, error: FanfareError, closeCode: CloseCode, id: number | undefined): void {
    this.#client.replyError(id, error);
    if (isLast || this.#state !== 'connected') this.#client.close(closeCode, error.message);
  }
}

function idOf(frame: ClientFrame): number | undefined {
  return frame.type === 'pong' ? undefined : frame.id;
}

/**
 * The close code for a `connect` that was refused. It says whether the client should try again as it is, or with
 * another token.
 */
function closeCodeOf({ code, retryable }: FanfareError): CloseCode {
  if (code === 'forbidden') return 4403;
  if (code === 'limit_exceeded') return 4429;
  return retryable || code === 'internal' ? 4003 : 4401;
}
