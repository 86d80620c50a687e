import { connect, type Socket } from 'node:net';
import { frameBounds, textFrame, upgradeRequest } from './websocket-frames.js';

/** All readers read into one buffer: what is in it is consumed before the next read. */
const shared = Buffer.allocUnsafe(64 * 1024);
const PONG = textFrame('{"type":"pong"}');

export interface Subscribe {
  readonly port: number;
  /** Path of the WebSocket upgrade. */
  readonly path: string;
  /** Default: none is named, which is JSON. */
  readonly subprotocol?: string;
  /** Sent once the socket is open. */
  readonly greeting: Uint8Array;
  /** The frame that begins so says that the subscription stands; `undefined`: it stands once open. */
  readonly ready: string | undefined;
}

export interface ReaderEvents {
  /** `count` more messages have arrived in full. */
  onMessages(reader: Reader, count: number): void;
  /** Anything that must not happen in a benchmark: closed, refused, lagged, a hole. */
  onFault(reader: Reader, fault: string): void;
}

/**
 * A subscriber that costs next to nothing: once subscribed it looks at frame headers only. A message
 * frame is one with a 16-bit length (126 bytes and more), or an array; others are control frames. How many an
 * array of messages holds follows from its length and that of its first one.
 * One that `verifies` reads each message and checks that the numbers in the payloads are contiguous.
 */
export class Reader {
  /** Messages received in full. */
  messages = 0;
  readonly verifies: boolean;
  readonly #socket: Socket;
  readonly #events: ReaderEvents;
  readonly #ready: string | undefined;
  readonly #greeting: Uint8Array;
  #state: 'opening' | 'subscribing' | 'verifying' | 'counting' = 'opening';
  #onReady: (() => void) | undefined;
  /** Bytes of the current frame that have not arrived yet, and how many messages it holds. */
  #missing = 0;
  #underway = 0;
  /** The beginning of a frame whose rest has not arrived, where that is looked at. */
  #carry: Buffer | undefined;
  #sequence: number | undefined;

  constructor(subscribe: Subscribe, verifies: boolean, events: ReaderEvents, onReady: () => void) {
    this.verifies = verifies;
    this.#events = events;
    this.#ready = subscribe.ready;
    this.#greeting = subscribe.greeting;
    this.#onReady = onReady;
    this.#socket = connect({
      host: '127.0.0.1',
      port: subscribe.port,
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (size) => {
          if (this.#state === 'counting' && this.#carry === undefined) this.#count(shared, size);
          else this.#read(size);
          return true;
        },
      },
    });
    this.#socket.on('error', (error) => events.onFault(this, error.message));
    this.#socket.on('close', () => events.onFault(this, 'closed by the server'));
    this.#socket.write(upgradeRequest(subscribe.port, subscribe.path, subscribe.subprotocol));
  }

  /** Forgets what was counted and which number came last. */
  reset(): void {
    this.messages = 0;
    this.#sequence = undefined;
  }

  destroy(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  /** Walks from header to header. */
  #count(bytes: Buffer, size: number): void {
    let at = this.#missing;
    if (at > size) {
      this.#missing = at - size;
      return;
    }
    let count = at > 0 ? this.#underway : 0;
    let isCut = false;
    while (at + 4 <= size && holdsMessages(bytes, at)) {
      const length = bytes[at + 1] as number;
      const begin = length < LONG ? at + 2 : at + 4;
      const end = begin + (length < LONG ? length : ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
      const held = messagesIn(bytes, begin, end, size);
      isCut = held === undefined;
      if (held === undefined) break;
      at = end;
      this.#underway = held;
      count += held;
    }
    if (at > size) count -= this.#underway;
    this.#missing = at > size ? at - size : 0;
    if (count > 0) {
      this.messages += count;
      this.#events.onMessages(this, count);
    }
    if (at < size) {
      this.#carry = Buffer.from(bytes.subarray(at, size));
      if (!isCut) this.#read(0);
    }
  }

  /** Takes whole frames off what has arrived and looks at each. */
  #read(size: number): void {
    let bytes = Buffer.concat([this.#carry ?? Buffer.alloc(0), shared.subarray(0, size)]);
    this.#carry = undefined;
    if (this.#state === 'opening') {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#carry = bytes;
        return;
      }
      if (!bytes.subarray(0, end).includes(' 101 ')) this.#events.onFault(this, bytes.toString('latin1', 0, 40));
      bytes = bytes.subarray(end + 4);
      this.#socket.write(this.#greeting);
      this.#state = 'subscribing';
      if (this.#ready === undefined) this.#begin();
    }
    let at = 0;
    while (at < bytes.length) {
      // A message that is only counted need not be whole.
      if (this.#state === 'counting' && at + 4 <= bytes.length && holdsMessages(bytes, at)) {
        this.#count(bytes.subarray(at), bytes.length - at);
        return;
      }
      const bounds = frameBounds(bytes, at);
      if (!bounds) break;
      this.#frame(bytes, at, bounds.begin, bounds.end);
      at = bounds.end;
    }
    if (at < bytes.length) this.#carry = Buffer.from(bytes.subarray(at));
  }

  #frame(bytes: Buffer, at: number, begin: number, end: number): void {
    if (this.#state === 'verifying' && holdsMessages(bytes, at)) {
      this.#verify(bytes.toString('latin1', begin, end));
      return;
    }
    const text = bytes.toString('utf8', begin, end);
    if (text === '{"type":"ping"}') this.#socket.write(PONG);
    else if (this.#state !== 'subscribing' || text.startsWith('{"type":"error"')) this.#events.onFault(this, text);
    else if (this.#ready !== undefined && text.startsWith(this.#ready)) this.#begin();
  }

  #begin(): void {
    this.#state = this.verifies ? 'verifying' : 'counting';
    this.#onReady?.();
    this.#onReady = undefined;
  }

  #verify(text: string): void {
    let count = 0;
    for (const [, digits] of text.matchAll(SEQUENCE)) {
      const sequence = Number(digits);
      if (this.#sequence !== undefined && sequence !== this.#sequence + 1) {
        this.#events.onFault(this, `message ${sequence} came after ${this.#sequence}`);
      }
      this.#sequence = sequence;
      count++;
    }
    this.messages += count;
    this.#events.onMessages(this, count);
  }
}

/** Digits of the running number that a payload begins with. */
const SEQUENCE_DIGITS = 10;

/** A payload of `size` bytes of JSON text: a string that begins with its running number. */
export function payload(sequence: number, size: number): string {
  return `"${String(sequence)
    .padStart(SEQUENCE_DIGITS, '0')
    .padEnd(size - 2, 'x')}"`;
}

const SEQUENCE = new RegExp(`[:,]"(\\d{${SEQUENCE_DIGITS}})`, 'g');

/** The second byte of a frame whose length is in the next two. */
const LONG = 126;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;
const BETWEEN_OBJECTS = Buffer.from('},{');
const BETWEEN_ARRAYS = Buffer.from('],[');

/** Whether the frame at `at`, of which four bytes are there, holds messages. */
function holdsMessages(bytes: Buffer, at: number): boolean {
  const length = bytes[at + 1] as number;
  return length === LONG || (length < LONG && bytes[at + 2] === OPEN_BRACKET);
}

/**
 * How many messages the frame from `begin` to `end` holds, of which what is before `size` has arrived;
 * `undefined` until its first message has. The messages of an array are of one size but for the digits of
 * their offsets, which grow: so the first one is the shortest, by less than an array has messages.
 */
function messagesIn(bytes: Buffer, begin: number, end: number, size: number): number | undefined {
  if (begin + 2 > size) return undefined;
  // A message of the compact dialect is an array that begins with the name of its channel.
  if (bytes[begin] !== OPEN_BRACKET || bytes[begin + 1] === QUOTE) return 1;
  const separator = bytes[begin + 1] === OPEN_BRACE ? BETWEEN_OBJECTS : BETWEEN_ARRAYS;
  const comma = bytes.indexOf(separator, begin) + 1;
  if (comma > 0 && comma + 2 <= size) return Math.floor((end - begin - 1) / (comma - begin));
  return end <= size ? 1 : undefined;
}
