import { RawConnection } from './raw-connection.js';
import { dataFrame } from './websocket-frames.js';

/** How to become a subscriber of a server of whatever kind. It is plain data, because it is sent to threads. */
export interface Subscribe {
  /** The address, `ws:` or `wss:`. */
  readonly url: string;
  /** The subprotocol to offer. Default: none is offered, which means JSON to a gateway. */
  readonly subprotocol?: string;
  /** Messages that are sent once the socket is open. */
  readonly greeting: readonly (string | Uint8Array)[];
  /**
   * The subscription stands when a message holds this text. If it is `undefined`, it stands once the socket is open.
   */
  readonly ready?: string | undefined;
  /** Answers to messages, by the text with which a message begins. */
  readonly answers: readonly (readonly [begin: string, answer: string | Uint8Array])[];
  /**
   * How messages are counted once subscribed. `frames` (default) counts by the frames that hold them, without looking
   * into these. It is for a gateway, and for servers that send the same frames. A number is for servers whose messages
   * all have so many bytes, of which a frame holds any number. `markers` counts by {@link MARKER}, whatever stands around
   * it.
   */
  readonly counted?: 'frames' | 'markers' | number;
  /**
   * How many publishers take turns with the messages. The messages of each come in order, and those of two in any order.
   * Default 1.
   */
  readonly publishers?: number | undefined;
}

export interface ReaderEvents {
  /** Called when `count` more messages have arrived in full with one read. */
  onMessages(reader: Reader, count: number): void;
  /**
   * Called when anything happens that must not where speed is measured: the reader was closed, refused or too slow, or
   * messages are missing.
   */
  onFault(reader: Reader, fault: string): void;
}

/** The answers that a reader gives to a gateway. */
export const GATEWAY_ANSWERS = [['{"type":"ping"', '{"type":"pong"}']] as const;

/** Begins every text that is counted by markers. */
export const MARKER = '~fanfare-load~';

/**
 * A subscriber that costs next to nothing: once subscribed, it counts. A message frame is one of 126 bytes and more, or
 * an array; the others are control frames. How many messages an array holds follows from its length and that of its
 * first message. A reader that `verifies` reads each message and checks that the numbers in the payloads of each
 * publisher are contiguous.
 */
export class Reader {
  /** How many messages were received in full. */
  messages = 0;
  readonly verifies: boolean;
  readonly #connection: RawConnection;
  readonly #events: ReaderEvents;
  readonly #subscribe: Subscribe;
  readonly #weigh: typeof messagesIn;
  #isSubscribed = false;
  #onReady: () => void;
  /** The last number of each publisher. */
  readonly #last: number[] = [];
  /** Messages of this read that were verified. */
  #verified = 0;

  constructor(subscribe: Subscribe, verifies: boolean, events: ReaderEvents, onReady: () => void) {
    const isMarked = subscribe.counted === 'markers';
    // Messages that are counted by markers have no numbers.
    this.verifies = verifies && !isMarked;
    this.#events = events;
    this.#subscribe = subscribe;
    this.#onReady = onReady;
    const { url, subprotocol = '', counted } = subscribe;
    this.#weigh = typeof counted === 'number' ? ofLength(counted) : isMarked ? markersIn : messagesIn;
    this.#connection = new RawConnection(
      { url: new URL(url), subprotocol },
      {
        onOpen: () => this.#greet(),
        onMessage: (bytes, begin, end) => this.#take(bytes, begin, end),
        onClose: (code, reason) => events.onFault(this, `closed by the server: ${code} ${reason}`),
        weigh: this.#weigh,
        onWeighed: (count) => this.#count(count),
        onRead: () => this.#onRead(),
      },
    );
  }

  /** Forgets what was counted, and which numbers came last. */
  reset(): void {
    this.messages = 0;
    this.#last.length = 0;
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #greet(): void {
    this.#connection.write(Buffer.concat(this.#subscribe.greeting.map(dataFrame)));
    if (this.#subscribe.ready === undefined) this.#begin();
  }

  #begin(): void {
    this.#isSubscribed = true;
    this.#connection.weighs = !this.verifies;
    this.#onReady();
  }

  #onRead(): void {
    const count = this.#verified;
    this.#verified = 0;
    if (count > 0) this.#count(count);
  }

  #count(count: number): void {
    this.messages += count;
    this.#events.onMessages(this, count);
  }

  #take(bytes: Buffer, begin: number, end: number): void {
    if (this.#isSubscribed && this.verifies && (this.#weigh(bytes, begin, end, end) ?? 0) > 0) {
      this.#verify(bytes.toString('latin1', begin, end));
      return;
    }
    const { ready, answers, counted } = this.#subscribe;
    const text = bytes.toString('utf8', begin, end);
    const answer = answers.find(([start]) => text.startsWith(start));
    if (answer) this.#connection.send(answer[1]);
    else if (!this.#isSubscribed && ready !== undefined && text.includes(ready)) this.#begin();
    else if (counted !== 'markers' && (this.#isSubscribed || text.startsWith('{"type":"error"')))
      this.#events.onFault(this, text.slice(0, 200));
  }

  #verify(text: string): void {
    const { publishers = 1 } = this.#subscribe;
    for (const sequence of sequencesIn(text)) {
      const publisher = sequence % publishers;
      const last = this.#last[publisher];
      if (last !== undefined && sequence !== last + publishers)
        this.#events.onFault(this, `message ${sequence} came after ${last}`);
      this.#last[publisher] = sequence;
      this.#verified++;
    }
  }
}

/** How many digits the running number has with which a payload begins. */
const SEQUENCE_DIGITS = 10;

/** Returns a payload of `size` bytes of JSON text: a string that begins with its running number. */
export function payload(sequence: number, size: number): string {
  return `"${String(sequence)
    .padStart(SEQUENCE_DIGITS, '0')
    .padEnd(size - 2, 'x')}"`;
}

const SEQUENCE = new RegExp(`(?:^|[:,\\n])"(\\d{${SEQUENCE_DIGITS}})`, 'g');

/** Returns the running numbers of the payloads in a frame. */
export function sequencesIn(frame: string): number[] {
  return Array.from(frame.matchAll(SEQUENCE), ([, digits]) => Number(digits));
}

/** The length of the longest control frame, bytes. */
const SHORT = 125;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;
const BETWEEN_OBJECTS = Buffer.from('},{');
const BETWEEN_ARRAYS = Buffer.from('],[');
const MARKER_BYTES = Buffer.from(MARKER);

/**
 * Returns how many messages the frame from `begin` to `end` holds, of which the bytes before `size` have arrived. It
 * returns `undefined` for a control frame, and while the first message has not arrived. The messages of an array are of
 * one size except that their offsets are contiguous and have a digit more from some power of ten on.
 */
function messagesIn(bytes: Buffer, begin: number, end: number, size: number): number | undefined {
  if (begin + 2 > size) return undefined;
  if (bytes[begin] !== OPEN_BRACKET) return end - begin > SHORT ? 1 : undefined;
  // A message of the compact dialect is an array that begins with the name of its channel.
  if (bytes[begin + 1] === QUOTE) return 1;
  const separator = bytes[begin + 1] === OPEN_BRACE ? BETWEEN_OBJECTS : BETWEEN_ARRAYS;
  const comma = bytes.indexOf(separator, begin) + 1;
  if (comma === 0 || comma + 2 > Math.min(size, end)) return end <= size ? 1 : undefined;
  // Every message and what is before it, a comma or the bracket.
  const [each, all] = [comma - begin, end - begin - 1];
  const short = untilLonger(bytes, begin, comma);
  return all <= short * each ? Math.floor(all / each) : short + Math.floor((all - short * each) / (each + 1));
}

const OFFSET_KEY = Buffer.from('"offset":');
const END_OF_NAME = Buffer.from('",');

/** Returns how many offsets have as many digits as that of the first message of an array, from that one on. */
function untilLonger(bytes: Buffer, begin: number, end: number): number {
  const key = bytes[begin + 1] === OPEN_BRACE ? OFFSET_KEY : END_OF_NAME;
  const at = bytes.indexOf(key, begin + 1);
  const offset = at < 0 || at > end ? 0 : Number.parseInt(bytes.toString('latin1', at + key.length, end), 10);
  // The messages of a live channel have no offset, or 0.
  return offset > 0 ? 10 ** String(offset).length - offset : Number.POSITIVE_INFINITY;
}

/** Counts the messages of a frame, which all have so many bytes. Something shorter may follow them. */
function ofLength(length: number): typeof messagesIn {
  return (_bytes, begin, end) => Math.floor((end - begin) / length) || undefined;
}

/**
 * Counts the messages of a frame by markers. Any number of them may share a frame, so all of the frame has to be there.
 */
function markersIn(bytes: Buffer, begin: number, end: number, size: number): number | undefined {
  if (end > size) return undefined;
  let count = 0;
  for (let at = bytes.indexOf(MARKER_BYTES, begin); at >= 0 && at < end; at = bytes.indexOf(MARKER_BYTES, at + 1))
    count++;
  return count > 0 ? count : undefined;
}
