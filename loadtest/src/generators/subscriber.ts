import { type Dialect, shouldReconnect } from '@fanfare/protocol';
import type { Receipts } from '../audit/receipts.js';
import { nowUs } from '../clock.js';
import type { Tally } from '../run/tally.js';
import { MessageReader } from './message-reader.js';
import { RawConnection, type RawTarget } from './raw-connection.js';
import { Stall } from './stall.js';

/** What the subscribers of one process share. */
interface SubscriberContext {
  readonly tally: Tally;
  readonly dialect: Dialect;
  /** A subscriber computes the checksum of every n-th message, where n is this number. */
  readonly verifyEvery: number;
  /** Returns where to connect. It is called for every connection. */
  target(subscriber: Subscriber): RawTarget;
  token(subscriber: Subscriber): string | undefined;
  /** Returns whether anything may have been published already. */
  hasBegun(): boolean;
}

interface SubscriberPlan {
  readonly label: string;
  readonly index: number;
  readonly receipts: readonly Receipts[];
  /** Whether it is a member of the channels and hears of the others. */
  readonly presence: boolean;
}

interface Position {
  epoch: string;
  offset: number;
}

/** The first delay before another attempt to connect, ms. The delays double. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;
const QUOTE = 0x22;
const BRACE = 0x7b;
const BRACKET = 0x5b;
const COMMA = 0x2c;

const message = new MessageReader();
const { stamp } = message;

/**
 * A client that speaks the protocol on a raw socket: it subscribes, resumes from its positions, and checks each message
 * against its position and its stream. Messages of our publishers are read where they lie if the dialect is text;
 * everything else is decoded.
 */
export class Subscriber {
  readonly label: string;
  readonly index: number;
  readonly receipts: readonly Receipts[];
  readonly stall = new Stall(() => this.#connection);
  /** Called for each connection once all channels are subscribed. */
  onReady: () => void = () => {};
  /** Called for every message if the subscriber is a witness of the closed model. */
  onDelivery: ((channelIndex: number) => void) | undefined;
  /** Whether it comes back by itself when its connection ends. */
  reconnects = true;
  /** `refused` means that the gateway said no other attempt will succeed, so none is made. */
  state: 'closed' | 'opening' | 'ready' | 'refused' = 'closed';
  readonly #presence: boolean;
  readonly #context: SubscriberContext;
  readonly #positions: (Position | undefined)[];
  #connection: RawConnection | undefined;
  #waiting = 0;
  #beganUs = 0;
  #attempts = 0;
  #retry: NodeJS.Timeout | undefined;
  #lastChannel = 0;
  #bytesSeen = 0;

  constructor({ label, index, receipts, presence }: SubscriberPlan, context: SubscriberContext) {
    this.label = label;
    this.index = index;
    this.receipts = receipts;
    this.#presence = presence;
    this.#context = context;
    this.#positions = receipts.map(() => undefined);
  }

  open(): void {
    clearTimeout(this.#retry);
    const { tally, dialect } = this.#context;
    this.state = 'opening';
    tally.pending++;
    this.#beganUs = nowUs();
    this.#bytesSeen = 0;
    this.stall.forget();
    this.#connection = new RawConnection(this.#context.target(this), {
      onOpen: () => this.#greet(),
      onMessage: (bytes, begin, end) => {
        if (dialect.binary) this.#takeBinary(bytes.subarray(begin, end));
        else this.#takeText(bytes, begin, end);
        const connection = this.#connection as RawConnection;
        tally.bytes += connection.bytes - this.#bytesSeen;
        this.#bytesSeen = connection.bytes;
      },
      onClose: (code, reason) => this.#ended(code, reason),
    });
  }

  /** Leaves in an orderly way. */
  close(): void {
    clearTimeout(this.#retry);
    this.#leave();
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Loses its connection. It comes back if it {@link reconnects}. */
  cut(): void {
    this.#connection?.cut();
  }

  /** Does nothing, because nothing is kept back: this subscriber looks at the wire itself. */
  settle(): void {}

  #leave(): void {
    const { tally } = this.#context;
    if (this.state === 'opening') tally.pending--;
    else if (this.state === 'ready') tally.connections--;
    this.state = 'closed';
  }

  #ended(code: number, reason: string): void {
    const wasReady = this.state === 'ready';
    this.#leave();
    this.#connection = undefined;
    if (!shouldReconnect(code)) {
      this.state = 'refused';
      this.#context.tally.refuse(code, reason);
      return;
    }
    if (!this.reconnects || !wasReady) this.#context.tally.error(`closed ${code}${reason ? `: ${reason}` : ''}`);
    else this.#context.tally.error(`reconnected after ${code}`);
    if (!this.reconnects) return;
    const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempts++);
    this.#retry = setTimeout(() => this.open(), Math.random() * delayMs);
  }

  #send(frame: object): void {
    this.#connection?.send(this.#context.dialect.encode(frame as never));
  }

  #greet(): void {
    const token = this.#context.token(this);
    this.#send({ type: 'connect', id: 1, client: 'fanfare-load/1', ...(token && { token }) });
    this.#waiting = this.receipts.length;
    for (const channel of this.receipts.keys()) this.#subscribe(channel);
  }

  #subscribe(index: number): void {
    const { channel, isDurable } = this.receipts[index] as Receipts;
    const since = isDurable ? this.#positions[index] : undefined;
    const presence = this.#presence ? { presence: true } : {};
    this.#send({ type: 'subscribe', id: index + 2, channel, ...(since && { since }), ...presence });
  }

  #takeText(bytes: Buffer, begin: number, end: number): void {
    const isList = bytes[begin] === BRACKET && bytes[begin + 1] !== QUOTE;
    if (!isList && (bytes[begin] === BRACE || bytes[begin] === BRACKET)) {
      if (this.#takeMessage(bytes, begin, end) !== end)
        this.#take(this.#context.dialect.decode(text(bytes, begin, end)));
      return;
    }
    if (!isList) {
      this.#context.tally.error('malformed frame');
      return;
    }
    let at = begin + 1;
    while (at < end - 1) {
      const next = this.#takeMessage(bytes, at, end - 1);
      if (next < 0) break;
      at = bytes[next] === COMMA ? next + 1 : next;
    }
    if (at >= end - 1) return;
    this.#takeAll(`[${text(bytes, at, end)}`);
  }

  /**
   * Takes a message of ours that begins at `begin`.
   * @returns where it ends, or -1 if it is something else and nothing was taken
   */
  #takeMessage(bytes: Buffer, begin: number, limit: number): number {
    const nameAt = message.nameAt(bytes, begin);
    const index = nameAt < 0 ? -1 : this.#channelAt(bytes, nameAt);
    if (index < 0) return -1;
    const { channel, isDurable } = this.receipts[index] as Receipts;
    const end = message.read(bytes, begin, nameAt + channel.length + 1, limit);
    if (end < 0) return -1;
    const { offset, dataAt } = message;
    this.#count(index, offset, bytes, dataAt, isDurable && !this.#advance(index, offset, offset - 1));
    return end;
  }

  /** Returns the index of the channel whose name begins at `at`, or -1 if it is none of ours. */
  #channelAt(bytes: Buffer, at: number): number {
    const last = this.#lastChannel;
    if (this.receipts.length === 1) return 0;
    const end = bytes.indexOf(QUOTE, at);
    const name = bytes.toString('latin1', at, end);
    if ((this.receipts[last] as Receipts).channel === name) return last;
    this.#lastChannel = Math.max(0, this.#indexOf(name));
    return this.#indexOf(name);
  }

  #names: Map<string, number> | undefined;

  #indexOf(name: unknown): number {
    this.#names ??= new Map(this.receipts.map(({ channel }, index) => [channel, index]));
    return this.#names.get(String(name)) ?? -1;
  }

  #takeBinary(bytes: Uint8Array): void {
    this.#takeAll(bytes);
  }

  #takeAll(wire: string | Uint8Array): void {
    for (const frame of this.#context.dialect.decodeAll(wire)) this.#take(frame);
  }

  /** Moves the position over what a frame covers. Returns false if the position is there or beyond already. */
  #advance(index: number, offset: number, prev: number): boolean {
    const position = this.#positions[index];
    if (!position) return true;
    if (prev === position.offset || (prev < position.offset && offset > position.offset)) {
      position.offset = offset;
      return true;
    }
    if (offset <= position.offset) return false;
    const { channel } = this.receipts[index] as Receipts;
    const where = { channel, subscriber: this.label, epoch: position.epoch, offset };
    const detail = `a frame after offset ${prev} at position ${position.offset}`;
    this.#context.tally.offend('holes', { ...where, detail });
    position.offset = offset;
    return true;
  }

  /** Counts the message whose stamp was just read. */
  #count(index: number, offset: number, bytes: Uint8Array, at: number, isBehind: boolean): void {
    const { tally, verifyEvery } = this.#context;
    const receipts = this.receipts[index] as Receipts;
    tally.received++;
    tally.audit.received++;
    tally.latency.record(nowUs() - stamp.dueUs);
    const { stream, n } = stamp;
    const wrong = receipts.take(stream, n, offset) ?? (isBehind ? 'reordered' : undefined);
    if (wrong) {
      const { epoch } = this.#positions[index] ?? {};
      const detail = `message ${n} of stream ${stream}`;
      tally.offend(wrong, { channel: receipts.channel, subscriber: this.label, stream, n, epoch, offset, detail });
    }
    if ((n + this.index) % verifyEvery === 0) {
      tally.audit.verified++;
      if (!stamp.isIntact(bytes, at)) this.#corrupted(index, offset, `checksum of message ${n} of stream ${stream}`);
    }
    this.onDelivery?.(index);
  }

  #corrupted(index: number, offset: number, detail: string): void {
    const { channel } = this.receipts[index] as Receipts;
    this.#context.tally.offend('corrupted', { channel, subscriber: this.label, offset, detail });
  }

  /** Takes a frame that was decoded. */
  #take(frame: Record<string, unknown>): void {
    const { type } = frame;
    if (type === 'ping') this.#send({ type: 'pong' });
    else if (type === 'error') this.#refused(frame);
    else if (type === 'lagged') this.#lagged(frame.channels as string[]);
    else if (type !== 'connected') this.#takeOfChannel(frame);
  }

  #lagged(channels: readonly string[]): void {
    this.#context.tally.error('lagged');
    for (const name of channels) {
      const index = this.#indexOf(name);
      if (index >= 0) this.#subscribe(index);
    }
  }

  #takeOfChannel(frame: Record<string, unknown>): void {
    const { tally } = this.#context;
    const { type } = frame;
    const index = this.#indexOf(frame.channel);
    if (index < 0) return;
    const position = this.#positions[index];
    const offset = Number(frame.offset ?? 0);
    if (type === 'subscribed') this.#subscribed(index, frame);
    else if (type === 'epoch') this.#positions[index] = { epoch: String(frame.epoch), offset };
    else if (type === 'reset') this.#reset(index, frame);
    else if (type === 'position') this.#advance(index, offset, Number(frame.prev ?? offset - 1));
    else if (type === 'message') this.#decoded(index, frame, offset);
    else if (type === 'join' || type === 'leave') tally.presence++;
    else if (type === 'unsubscribed') tally.error(`unsubscribed: ${String(frame.code)}`);
    else if (type === 'append' && position) this.#advance(index, offset, Number(frame.prev ?? offset - 1));
    else tally.error(`unexpected frame: ${String(type)}`);
  }

  #decoded(index: number, frame: Record<string, unknown>, offset: number): void {
    const { isDurable } = this.receipts[index] as Receipts;
    const isBehind = isDurable && !this.#advance(index, offset, Number(frame.prev ?? offset - 1));
    const bytes = Buffer.from(String(frame.data), 'latin1');
    if (stamp.read(bytes, 0) && stamp.length === bytes.length) this.#count(index, offset, bytes, 0, isBehind);
    else this.#corrupted(index, offset, `no payload of this run: ${String(frame.data).slice(0, 60)}`);
  }

  #subscribed(index: number, frame: Record<string, unknown>): void {
    const receipts = this.receipts[index] as Receipts;
    const { tally, hasBegun } = this.#context;
    if (frame.recovered === false) this.#reset(index, frame);
    if (receipts.isDurable && frame.durable === false) tally.error('the channel is live, not durable');
    const offset = Number(frame.offset ?? 0);
    if (!receipts.hasBegun) receipts.begin(offset, !hasBegun());
    if (receipts.isDurable) this.#positions[index] = { epoch: String(frame.epoch), offset };
    else this.#positions[index] = undefined;
    if (this.state !== 'opening' || --this.#waiting > 0) return;
    tally.pending--;
    tally.connections++;
    tally.connecting.record(nowUs() - this.#beganUs);
    this.state = 'ready';
    this.#attempts = 0;
    this.onReady();
  }

  #reset(index: number, frame: Record<string, unknown>): void {
    const receipts = this.receipts[index] as Receipts;
    const before = this.#positions[index];
    const offset = Number(frame.offset);
    const position = { epoch: String(frame.epoch), offset };
    receipts.reset(String(frame.reason), before, position);
    // The position moves on with every frame, so what was reported is kept as a copy.
    this.#positions[index] = { ...position };
    const detail = `${String(frame.reason)}: from ${before?.epoch}-${before?.offset} to ${String(frame.epoch)}-${offset}`;
    this.#context.tally.offend('resets', {
      channel: receipts.channel,
      subscriber: this.label,
      epoch: before?.epoch,
      offset: before?.offset,
      detail,
    });
  }

  #refused(frame: Record<string, unknown>): void {
    this.#context.tally.error(`${String(frame.code)}: ${String(frame.message)}`);
    const index = Number(frame.id) - 2;
    const isSubscribe = index >= 0 && index < this.receipts.length;
    if (isSubscribe && frame.retryable)
      setTimeout(() => this.#subscribe(index), Number(frame.retryAfter ?? 500)).unref();
  }
}

function text(bytes: Buffer, begin: number, end: number): string {
  return bytes.toString('utf8', begin, end);
}
