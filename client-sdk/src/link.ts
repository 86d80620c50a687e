import type { ConnectedFrame, ConnectFrame, Dialect, ErrorFrame, ServerFrame, Wire } from '@fanfare/protocol';
import { parseServerFrame } from '@fanfare/protocol/validate';
import type { Cancel, Clock } from './clock.js';
import { FanfareClientError } from './errors.js';
import type { Pulse } from './pulse.js';
import type { Socket, SocketFactory } from './transport/socket.js';
import { absoluteUrl } from './url.js';

export interface LinkOptions {
  readonly url: string;
  readonly dialect: Dialect;
  readonly socket: SocketFactory;
  readonly clock: Clock;
  /** Is told of everything that comes. */
  readonly pulse: Pulse;
  /** How long a link may take from its beginning to `connected`, ms. */
  readonly connectTimeoutMs: number;
  /** How much longer than the gateway's ping interval it may be silent before the link counts as dead, ms. */
  readonly pingGraceMs: number;
  readonly nextId: () => number;
  /** Returns whether something that was sent has not been answered. */
  readonly isOwedAnswer: () => boolean;
}

/** How a link ended. */
export interface LinkEnd {
  /** The close code; 1006 if there was no close frame. */
  readonly code: number;
  readonly reason: string;
  /** The gateway's answer to `connect`, if it was an error. */
  readonly refusal?: ErrorFrame | undefined;
  /** What made the SDK itself end the link. */
  readonly error?: FanfareClientError | undefined;
  /** Why no link can ever be made from here. */
  readonly fatal?: FanfareClientError | undefined;
}

interface LinkHandlers {
  /** Called when `connect` was sent. Further frames may follow right behind it. */
  onGreeting(): void;
  onConnected(frame: ConnectedFrame): void;
  /** Called with every frame except `connected` and `ping`. */
  onFrame(frame: ServerFrame): void;
  /** Called once, as the last call. It is not called after {@link Link.close}. */
  onEnd(end: LinkEnd): void;
}

const ABNORMAL = 1006;
/** How long a link in doubt may take to show that it is alive, ms. */
const PROBE_MS = 5_000;
/** How long the gateway may be silent while it owes an answer, before the link is in doubt, ms. */
const DOUBT_MS = 5_000;
/** A channel that nobody is on. Its `unsubscribe` is always answered, and changes nothing. */
const PROBE_CHANNEL = 'fanfare-js:probe';

/**
 * One socket from its opening to its end: it greets, decodes and checks frames, answers pings, and notices silence. It
 * knows nothing of channels and does not come back.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #hello: ConnectFrame;
  readonly #handlers: LinkHandlers;
  #socket: Socket | undefined;
  #connected = false;
  #over = false;
  #silenceMs = 0;
  #refusal: ErrorFrame | undefined;
  #timer: Cancel | undefined;
  #doubt: Cancel | undefined;

  constructor(options: LinkOptions, hello: ConnectFrame, handlers: LinkHandlers) {
    this.#options = options;
    this.#hello = hello;
    this.#handlers = handlers;
  }

  open(): void {
    const { clock, connectTimeoutMs, url, dialect } = this.#options;
    this.#timer = clock.after(connectTimeoutMs, () => this.#cut(`no connection within ${connectTimeoutMs} ms`));
    try {
      this.#socket = this.#options.socket(
        { url: absoluteUrl(url), subprotocols: [dialect.subprotocol, ...(dialect.reads ?? [])] },
        {
          onOpen: () => this.#greet(),
          onMessage: (wire) => this.#receive(wire),
          onClose: (code, reason, fatal) => this.#end({ code, reason, fatal }),
        },
      );
    } catch (error) {
      const fatal = error instanceof FanfareClientError ? error : undefined;
      this.#end({ code: ABNORMAL, reason: (error as Error).message, fatal });
    }
  }

  send(wire: Wire): void {
    if (this.#over) return;
    this.#socket?.send(wire);
    if (this.#connected && this.#doubt === undefined) this.#expectAnswer(DOUBT_MS);
  }

  /** Asks whether the link is still alive. If nothing comes in a few seconds, it is not. */
  probe(): void {
    if (this.#over || !this.#connected) return;
    const { dialect, nextId } = this.#options;
    this.#socket?.send(dialect.encode({ type: 'unsubscribe', id: nextId(), channel: PROBE_CHANNEL }));
    this.#timer?.();
    const silenceMs = Math.min(PROBE_MS, this.#silenceMs);
    this.#watch(silenceMs, silenceMs);
  }

  /** Called when the network says that it is gone. */
  lose(): void {
    this.#cut('the network is offline');
  }

  /** Ends the link from this side. No handler is called afterwards. */
  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#endTimers();
    this.#socket?.close(code, reason);
  }

  #greet(): void {
    if (this.#over) return;
    this.send(this.#options.dialect.encode(this.#hello));
    this.#handlers.onGreeting();
  }

  #receive(wire: Wire): void {
    if (this.#over) return;
    const frames = this.#decode(wire);
    // The answer to a probe says that the link is alive, and nothing of the answers that are owed.
    const others = frames.filter((frame) => !(frame.type === 'unsubscribed' && frame.channel === PROBE_CHANNEL));
    if (others.length < frames.length) {
      this.#timer?.();
      this.#watch(this.#silenceMs, this.#silenceMs);
    }
    if (others.length > 0 || frames.length === 0) this.#options.pulse.beat();
    for (const frame of others) {
      if (frame.type === 'ping') this.#socket?.send(this.#options.dialect.encode({ type: 'pong' }));
      else if (this.#connected) this.#handlers.onFrame(frame);
      else this.#await(frame);
      // A handler may have closed the client, which is not to be called afterwards.
      if (this.#over) return;
    }
  }

  /**
   * Returns the frames to act on. Frames of unknown types are left out. If anything was malformed, the link has been
   * ended and nothing is used: what it carried is fetched again by resuming.
   */
  #decode(wire: Wire): ServerFrame[] {
    const frames: ServerFrame[] = [];
    try {
      for (const fields of this.#options.dialect.decodeAll(wire)) {
        const parsed = parseServerFrame(fields);
        if (parsed?.ok) frames.push(parsed.frame);
        else if (parsed) throw new Error(parsed.message);
      }
      return frames;
    } catch (error) {
      const problem = (error as Error).message;
      this.#cut('malformed frame', new FanfareClientError('malformed_frame', `the gateway sent no frame: ${problem}`));
      return [];
    }
  }

  #await(frame: ServerFrame): void {
    if (frame.type === 'connected') {
      this.#connected = true;
      this.#timer?.();
      this.#silenceMs = frame.ping + this.#options.pingGraceMs;
      this.#watch(this.#silenceMs, this.#silenceMs);
      this.#handlers.onConnected(frame);
    } else if (frame.type === 'error' && frame.id === this.#hello.id) {
      // The close code that follows decides. The error explains it in more words.
      this.#refusal = frame;
    }
  }

  /**
   * Watches for an answer. A network that goes dark breaks no connection, and a request shows it sooner than the pings
   * do.
   */
  #expectAnswer(delayMs: number): void {
    const { clock, pulse, isOwedAnswer } = this.#options;
    this.#doubt = clock.after(delayMs, () => {
      this.#doubt = undefined;
      if (!isOwedAnswer()) return;
      const leftMs = pulse.leftMs(DOUBT_MS);
      if (leftMs <= 0) this.probe();
      this.#expectAnswer(leftMs > 0 ? leftMs : DOUBT_MS);
    });
  }

  #watch(silenceMs: number, delayMs: number): void {
    const { clock, pulse } = this.#options;
    this.#timer = clock.after(delayMs, () => {
      if (pulse.leftMs(silenceMs) > 0) this.#watch(this.#silenceMs, pulse.leftMs(this.#silenceMs));
      else this.#cut(`silence for ${silenceMs} ms`);
    });
  }

  #cut(reason: string, error?: FanfareClientError): void {
    this.#end({ code: ABNORMAL, reason, error });
    this.#socket?.terminate();
  }

  #end(end: LinkEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#endTimers();
    this.#handlers.onEnd({ ...end, refusal: this.#refusal });
  }

  #endTimers(): void {
    this.#timer?.();
    this.#doubt?.();
  }
}
