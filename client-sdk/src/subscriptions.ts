import type { Dialect, ServerFrame, Wire } from '@fanfare/protocol';
import type { Reader } from './audience.js';
import type { BackoffOptions } from './backoff.js';
import type { ChannelToken } from './channel-tokens.js';
import type { Cancel, Clock } from './clock.js';
import type { FanfareClientError } from './errors.js';
import { Feed } from './feed.js';
import type { Pulse } from './pulse.js';
import { SendWindow } from './send-window.js';
import type { Stats } from './stats.js';
import { TokenBucket } from './token-bucket.js';

interface SubscriptionsOptions {
  readonly dialect: Dialect;
  readonly clock: Clock;
  readonly pulse: Pulse;
  readonly stats: Stats;
  readonly backoff: BackoffOptions;
  /** How long neither the answer to a command nor anything else may come before it is tried again, ms. */
  readonly timeoutMs: number;
  /**
   * How many subscribes without a position are sent a second. Those that resume are not counted by the gateway either.
   */
  readonly joinsPerSecond: number;
  readonly nextId: () => number;
  readonly onError: (error: FanfareClientError) => void;
  readonly send: (wire: Wire) => void;
}

/**
 * How many subscribes and unsubscribes may be open at once. With the longest channel names they are smaller than the 64
 * KiB that the gateway lets wait behind `connect`.
 */
const WINDOW = 64;

interface Command {
  readonly feed: Feed;
  cancelTimeout: Cancel;
}

/**
 * All channels on the wire. It hands frames to their feeds, and sends what the feeds want at a pace that the gateway
 * can take.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  readonly #feeds = new Map<string, Feed>();
  /** Feeds with a command to send that join without a position. */
  readonly #joining = new Set<Feed>();
  /** All other feeds with a command to send. They come first, because they are owed messages. */
  readonly #waiting = new Set<Feed>();
  readonly #open = new Map<number, Command>();
  readonly #window: SendWindow;
  readonly #joinRate: TokenBucket;
  #linked = false;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    this.#window = new SendWindow(options.clock, WINDOW, () => this.#pump());
    this.#joinRate = new TokenBucket(options.clock, options.joinsPerSecond, () => this.#pump());
  }

  /** Whether a command is open. */
  get unanswered(): boolean {
    return this.#open.size > 0;
  }

  join(channel: string, reader: Reader, token?: ChannelToken): Feed {
    let feed = this.#feeds.get(channel);
    if (feed === undefined) {
      feed = new Feed(channel, { ...this.#options, onChange: (changed) => this.#onChange(changed) });
      this.#feeds.set(channel, feed);
    }
    feed.join(reader, token);
    return feed;
  }

  /** Called when a link is open. Subscribes go out right behind `connect`. */
  onGreeting(): void {
    this.#linked = true;
    this.#pump();
  }

  onFrame(frame: ServerFrame): void {
    switch (frame.type) {
      case 'message':
      case 'position':
      case 'epoch':
      case 'reset':
        this.#feeds.get(frame.channel)?.onPushed(frame);
        break;
      case 'lagged':
        for (const channel of frame.channels) this.#feeds.get(channel)?.onLagged();
        break;
      case 'unsubscribed':
        if (frame.id === undefined) this.#feeds.get(frame.channel)?.onUnsubscribed(frame);
        else this.#answer(frame.id, (feed) => feed.onUnsubscribed(frame));
        break;
      case 'subscribed':
        // A `subscribed` without `id` is of the gateway's own accord. Readers of the channel ask as well, and are
        // answered.
        if (frame.id !== undefined) this.#answer(frame.id, (feed) => feed.onSubscribed(frame));
        break;
      case 'error':
        if (frame.id !== undefined && this.#open.has(frame.id)) {
          if (frame.code === 'rate_limited') this.holdFor(frame.retryAfter);
          this.#answer(frame.id, (feed) => feed.onRefused(frame), false);
        }
        break;
    }
  }

  /** Sends nothing more for this long, ms, because the gateway asks for less. */
  holdFor(delayMs?: number): void {
    this.#window.holdFor(delayMs);
  }

  onDown(): void {
    this.#linked = false;
    this.#window.reset();
    this.#joinRate.reset();
    for (const { cancelTimeout } of this.#open.values()) cancelTimeout();
    this.#open.clear();
    for (const feed of [...this.#feeds.values()]) feed.onDown();
    for (const feed of [...this.#feeds.values()]) this.#onChange(feed);
  }

  #onChange(feed: Feed): void {
    const { command } = feed;
    const joins = command === 'subscribe' && !feed.resumable;
    enlist(this.#joining, feed, joins);
    enlist(this.#waiting, feed, command !== undefined && !joins);
    if (feed.idle && this.#feeds.get(feed.channel) === feed) this.#feeds.delete(feed.channel);
    this.#pump();
  }

  #pump(): void {
    for (const feed of this.#waiting) {
      if (!this.#linked || !this.#window.take()) return;
      this.#send(feed);
    }
    for (const feed of this.#joining) {
      if (!this.#linked || !this.#joinRate.available || !this.#window.take()) return;
      this.#joinRate.take();
      this.#send(feed);
    }
  }

  #send(feed: Feed): void {
    const { timeoutMs, dialect, nextId, send } = this.#options;
    this.#joining.delete(feed);
    this.#waiting.delete(feed);
    const id = nextId();
    const frame = feed.take(id);
    const command: Command = { feed, cancelTimeout: () => {} };
    this.#open.set(id, command);
    this.#watch(id, command, timeoutMs);
    send(dialect.encode(frame));
  }

  /**
   * Watches for the answer to a command. Over a slow link an answer can stand in line for long behind the messages of
   * other channels, and asking again would only make the gateway begin all over.
   */
  #watch(id: number, command: Command, delayMs: number): void {
    const { clock, pulse, timeoutMs } = this.#options;
    command.cancelTimeout = clock.after(delayMs, () => {
      const restMs = pulse.leftMs(timeoutMs);
      if (restMs > 0) this.#watch(id, command, restMs);
      else this.#answer(id, (feed) => feed.onTimeout(), false);
    });
  }

  /** Takes the reply to a command. Replies to commands of an earlier connection, or that came too late, are dropped. */
  #answer(id: number, act: (feed: Feed) => void, success = true): void {
    const command = this.#open.get(id);
    if (command === undefined) return;
    this.#open.delete(id);
    command.cancelTimeout();
    this.#window.release(success);
    act(command.feed);
    this.#pump();
  }
}

function enlist(list: Set<Feed>, feed: Feed, wanted: boolean): void {
  if (wanted) list.add(feed);
  else list.delete(feed);
}
