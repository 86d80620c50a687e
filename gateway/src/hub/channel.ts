import type { ChannelListener, ChannelSpec, PublishOutcome, Subscription } from '../broker/broker.js';
import type { LogPosition, LogRecord } from '../broker/record.js';
import { type Cancel, pause } from '../clock.js';
import { toFanfareError } from '../errors.js';
import { EVENT } from '../flight-recorder.js';
import { Gate } from './gate.js';
import type { HubContext } from './hub-options.js';
import { SendQueue } from './send-queue.js';
import type { Joined, LeaveCause, Start, Subscriber } from './subscriber.js';
import type { Topic } from './topic.js';

/** One client's place on one channel. */
export class Membership {
  readonly channel: Channel;
  readonly subscriber: Subscriber;
  /** The topic on which the client gets what the channel sends, once the membership is live. */
  readonly topic: Topic;
  /** Says where the client stands while it replays. A live client stands where its topic has flushed to. */
  replayedTo: (() => LogPosition) | undefined;
  #state: 'joining' | 'live' | 'left' = 'joining';

  /** @internal Made by `Channel.enter`. */
  constructor(channel: Channel, subscriber: Subscriber) {
    this.channel = channel;
    this.subscriber = subscriber;
    this.topic = channel.queue.topic(subscriber.dialect);
  }

  get isLive(): boolean {
    return this.#state === 'live';
  }

  /** Where the client stands; `undefined` on a channel without a log, or while it is not known yet. */
  get position(): LogPosition | undefined {
    if (!this.channel.head) return undefined;
    const position = this.replayedTo?.() ?? this.topic.flushed;
    return position.epoch > 0 ? position : undefined;
  }

  /** Whether `leave` was called. */
  get hasLeft(): boolean {
    return this.#state === 'left';
  }

  /** @internal Puts the client onto the topic: from now on it gets what the channel flushes. */
  goLive(): void {
    this.#note(EVENT.live);
    this.#state = 'live';
    this.replayedTo = undefined;
    this.channel.context.stats.subscriptions++;
    this.topic.enter(this.subscriber);
  }

  /** Ends the membership at once, in whatever state it is. */
  leave(cause: LeaveCause = 'left'): void {
    if (this.#state === 'left') return;
    this.#note(cause === 'lagged' ? EVENT.lagged : cause === 'closed' ? EVENT.disconnected : EVENT.left);
    if (this.#state === 'live') {
      this.channel.context.stats.subscriptions--;
      this.topic.leave(this.subscriber);
    }
    this.#state = 'left';
    this.topic.release();
    this.channel.left();
  }

  #note(kind: number): void {
    const { position } = this;
    if (position) this.channel.context.recorder.noteAt(kind, this.channel.spec.name, this.subscriber.session, position);
  }
}

/**
 * A channel that is alive on this gateway: its subscription, its subscribers, its queue. It lives
 * from the first join until its last subscriber has been gone for `lingerMs`.
 */
export abstract class Channel implements ChannelListener {
  readonly spec: ChannelSpec;
  readonly queue: SendQueue;
  /** @internal */
  readonly context: HubContext;
  protected subscription: Subscription | undefined;
  protected ended = false;
  readonly #onEnd: (channel: Channel, done: Promise<void>) => void;
  /** `undefined` once the channel serves. */
  #activation: Promise<void> | undefined;
  /**
   * Opens when the channel can serve, and is gone from then on: after an interruption the channel is repaired in place.
   */
  #serves: Gate | undefined;
  #count = 0;
  #linger: Cancel | undefined;

  /**
   * @param ready settles when the channel may subscribe at the broker: once an earlier life of it has ended
   * @param onEnd called when the channel ends; `done` settles once its subscription is gone
   */
  constructor(
    spec: ChannelSpec,
    context: HubContext,
    ready: Promise<void>,
    onEnd: (channel: Channel, done: Promise<void>) => void,
  ) {
    this.spec = spec;
    this.context = context;
    this.#serves = new Gate(context.clock, 'the channel cannot be served now');
    this.queue = new SendQueue(context.scheduler, spec.name);
    this.#onEnd = onEnd;
    this.#activation = ready.then(() => this.#activate());
  }

  /** How many subscribers are live: those that get what the channel sends. */
  get subscribers(): number {
    return this.queue.subscribers;
  }

  /**
   * Gives a client a place on the channel, which stays alive for it. The place has to be joined, and left in the end.
   */
  enter(subscriber: Subscriber): Membership {
    this.#count++;
    this.#linger?.();
    this.#linger = undefined;
    return new Membership(this, subscriber);
  }

  /** @internal */
  left(): void {
    if (--this.#count > 0 || this.ended) return;
    this.#linger = this.context.clock.after(this.context.options.lingerMs, () => this.end());
  }

  /**
   * Brings a client onto the channel without loss or duplicates. `onJoined` is called once, before the first replayed
   * frame, or not at all if the membership ends before that.
   * @throws {FanfareError} `unavailable` if the channel cannot be served in time.
   */
  abstract join(membership: Membership, start: Start, onJoined: (joined: Joined) => void): Promise<void>;

  /** Where the log ends, as far as this gateway knows; `undefined`: there is no log. */
  abstract get head(): LogPosition | undefined;

  abstract onRecord(record: LogRecord): void;
  abstract onInterrupted(): void;
  abstract onResumed(): void;
  abstract onDoubt(): void;
  /**
   * Called when the broker has answered a publish of this gateway: a client that joins from now on begins after its
   * messages.
   */
  onPublished(_outcomes: readonly PublishOutcome[]): void {}
  /** Compares the channel with its log, to find faults that nobody foresaw. */
  abstract audit(): Promise<void>;

  /** Whether the channel serves, as it does once it is activated. */
  protected get active(): boolean {
    return this.#serves === undefined;
  }

  /** Waits until the channel serves. @throws {FanfareError} `unavailable`, after `joinTimeoutMs`. */
  protected ready(): Promise<void> | undefined {
    return this.#serves?.passed(this.context.options.joinTimeoutMs);
  }

  /** Ends the channel now, because nobody is on it or because the gateway stops. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.#linger?.();
    this.onEnded();
    this.#onEnd(
      this,
      (this.#activation ?? Promise.resolve())
        .then(() => this.subscription?.unsubscribe())
        .catch((error) => this.context.onFault('unsubscribe failed', error)),
    );
  }

  /** Does what has to be done before the channel can serve. Rejects if the broker could not do it. */
  protected abstract activate(): Promise<void>;
  protected onEnded(): void {}

  async #activate(): Promise<void> {
    for (let attempt = 0; !this.ended; attempt++) {
      try {
        this.subscription ??= await this.context.broker.subscribe(this.spec, this);
        if (this.ended) return;
        await this.activate();
        this.#serves?.open();
        this.#serves = undefined;
        this.#activation = undefined;
        return;
      } catch (error) {
        if (!toFanfareError(error).retryable) this.context.onFault('activation failed', error);
        await pause(this.context.clock, attempt);
      }
    }
  }
}
