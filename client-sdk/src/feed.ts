import type {
  ErrorFrame,
  Position,
  SubscribedFrame,
  SubscribeFrame,
  UnsubscribedFrame,
  UnsubscribeFrame,
} from '@fanfare/protocol';
import { Audience, type Reader, samePosition } from './audience.js';
import { Backoff, type BackoffOptions } from './backoff.js';
import type { ChannelToken } from './channel-tokens.js';
import type { Cancel, Clock } from './clock.js';
import { Cursor, type PushedFrame } from './cursor.js';
import { badRequest, errorOfFrame, FanfareClientError } from './errors.js';
import { FeedToken } from './feed-token.js';
import type { Stats } from './stats.js';

interface FeedOptions {
  readonly clock: Clock;
  readonly stats: Stats;
  readonly backoff: BackoffOptions;
  /** Takes the reason why a token could not be fetched. It will be tried again. */
  readonly onError: (error: FanfareClientError) => void;
  /** Called when {@link Feed.command} or {@link Feed.idle} may have changed. */
  readonly onChange: (feed: Feed) => void;
}

/**
 * What the gateway has of this channel on this connection.
 * - `off`, `on`: it does not have the channel, or has it.
 * - `subscribing`, `unsubscribing`: a command is unanswered. There is only one at a time, so that replies cannot cross.
 * - `stale`: it may send frames, but they cannot be used, and the feed has to start over.
 */
type WireState = 'off' | 'subscribing' | 'on' | 'stale' | 'unsubscribing';

/**
 * One channel on the wire, shared by its local subscriptions. It brings what they want and what the gateway has in
 * line.
 */
export class Feed {
  readonly channel: string;
  readonly #options: FeedOptions;
  readonly #audience = new Audience();
  readonly #cursor: Cursor;
  readonly #failures: Backoff;
  readonly #gaps: Backoff;
  #wire: WireState = 'off';
  #durable = false;
  /** The position that the unanswered subscribe resumes from. */
  #since: Position | undefined;
  /** The reader whose own start the unanswered subscribe carries. */
  #starter: Reader | undefined;
  readonly #token = new FeedToken();
  /** Whether the gateway lists us, or is asked to by the unanswered subscribe. */
  #present = false;
  /** Whether what the gateway has, or is about to answer, was asked for by readers that are gone. */
  #inherited = false;
  /** Whether `lagged` came while a subscribe was open. Then what its reply says may be over already. */
  #doubtful = false;
  /** Set while the next command has to wait. */
  #rest: Cancel | undefined;

  constructor(channel: string, options: FeedOptions) {
    this.channel = channel;
    this.#options = options;
    this.#cursor = new Cursor(this.#audience, options.stats);
    this.#failures = new Backoff(options.backoff, options.clock);
    this.#gaps = new Backoff(options.backoff, options.clock);
  }

  get empty(): boolean {
    return this.#audience.size === 0;
  }

  /** Whether no reader is here and the gateway has nothing of the channel, so that the feed can be forgotten. */
  get idle(): boolean {
    return this.empty && this.#wire === 'off';
  }

  /** Whether we are on the channel as a member. */
  get present(): boolean {
    return this.#wire === 'on' && this.#present;
  }

  /** Whether the next subscribe carries a position. */
  get resumable(): boolean {
    return this.#start !== undefined;
  }

  /** The position of the next subscribe. It has none if it carries the own start of a reader. */
  get #start(): Position | undefined {
    return this.#audience.starter ? undefined : this.#audience.start;
  }

  /** The command to send now, if there is one. */
  get command(): 'subscribe' | 'unsubscribe' | undefined {
    if (this.#rest !== undefined || this.#token.isFetching) return undefined;
    const wire = this.#wire;
    if (!this.#audience.active) return wire === 'on' || wire === 'stale' ? 'unsubscribe' : undefined;
    if (wire === 'off') return 'subscribe';
    // The gateway may still have the channel on. Only a subscribe with a position can start over then.
    if (wire === 'stale') return this.resumable ? 'subscribe' : 'unsubscribe';
    return undefined;
  }

  /**
   * Adds a reader. One with a position or a start of its own is given what follows it; the others join where the wire
   * stands.
   */
  join(reader: Reader, token?: ChannelToken): void {
    if (this.empty) {
      this.#token.forget();
      this.#inherited = this.#wire !== 'off';
      if (this.#wire === 'on') this.#wire = 'stale';
    }
    this.#token.take(token);
    const own = reader.position;
    const elsewhere = reader.start !== undefined || (own !== undefined && !samePosition(own, this.#cursor.position));
    this.#audience.add(reader);
    if (this.#wire === 'on' && !this.#durable && reader.start) {
      // No listener can be there yet.
      queueMicrotask(() => this.#audience.failStart(reader, noPast(this.channel)));
    } else if (this.#wire === 'on' && this.#durable && elsewhere) {
      reader.flow = 'behind';
      this.#wire = 'stale';
    } else if (this.#wire === 'on') {
      reader.position = this.#cursor.position;
      reader.onSubscribed(this.#durable);
    } else if (this.#wire === 'subscribing' && (reader.start || (own && !samePosition(own, this.#since)))) {
      // What is being asked already is not for this reader.
      reader.flow = 'behind';
    }
    this.#startOverIfListedWrongly();
    this.#changed();
  }

  leave(reader: Reader): void {
    this.#audience.delete(reader);
    if (this.idle) this.#endRest();
    if (!this.empty) this.#startOverIfListedWrongly();
    this.#changed();
  }

  pause(reader: Reader): void {
    reader.flow = 'paused';
    this.#changed();
  }

  /** Gives a paused reader what came after its position, from the log if that has passed. */
  resume(reader: Reader): void {
    if (this.#wire === 'on' && samePosition(reader.position, this.#cursor.position)) {
      this.#audience.goOn(reader, this.#durable);
    } else {
      reader.flow = 'behind';
      if (this.#wire === 'on') this.#wire = 'stale';
    }
    this.#changed();
  }

  /** The connection is gone, and everything that the gateway knew of us with it. */
  onDown(): void {
    this.#wire = 'off';
    this.#failures.reset();
    this.#endRest();
    this.#audience.down();
  }

  /** Returns the {@link command}, which there must be, as a frame. From here on it is unanswered. */
  take(id: number): SubscribeFrame | UnsubscribeFrame {
    const { channel } = this;
    if (this.command !== 'subscribe') {
      this.#wire = 'unsubscribing';
      return { type: 'unsubscribe', id, channel };
    }
    this.#since = this.#start;
    this.#starter = this.#audience.starter;
    this.#audience.engage(this.#starter);
    this.#inherited = false;
    this.#doubtful = false;
    this.#wire = 'subscribing';
    this.#present = this.#audience.presence;
    const start = this.#since ? { since: this.#since } : this.#starter?.start;
    const token = this.#token.text;
    const others = { ...(this.#present && { presence: true }), ...(token !== undefined && { token }) };
    return { type: 'subscribe', id, channel, ...start, ...others };
  }

  onSubscribed(frame: SubscribedFrame): void {
    if (this.#inherited) {
      this.#startOver();
      return;
    }
    const since = this.#since;
    const at = frame.durable ? positionOf(frame) : undefined;
    // Neither of these can come from a gateway that keeps the contract, and believing it would lose messages.
    if (frame.durable && (at === undefined || (frame.recovered && at.offset !== since?.offset))) {
      this.#discontinuity();
      return;
    }
    const from = this.#cursor.position;
    this.#wire = 'on';
    this.#durable = frame.durable;
    this.#cursor.position = at;
    this.#failures.reset();
    if (!frame.durable) this.#audience.failStarts(noPast(this.channel));
    if (at && this.#starter) {
      this.#audience.rewound(at, from);
    } else if (at === undefined || since === undefined) {
      this.#audience.subscribed(frame.durable, at);
    } else if (frame.recovered) {
      this.#options.stats.recovered++;
      this.#audience.recovered(since, at);
    } else {
      this.#options.stats.resets++;
      this.#audience.reset(frame.reason ?? 'unrecoverable', since, at, true);
    }
    this.#startOverIfBehind();
    this.#changed();
  }

  /** The gateway answered a command with `error`. */
  onRefused(frame: ErrorFrame): void {
    const subscribing = this.#wire === 'subscribing';
    // A first subscribe that was refused left nothing. Otherwise the old stream may still run.
    const nothingLeft = subscribing && this.#since === undefined && frame.code !== 'already_subscribed';
    this.#wire = nothingLeft ? 'off' : 'stale';
    const isExpired = frame.code === 'token_expired' && this.#token.expire(this.#failures.attempts);
    const final = subscribing && !frame.retryable && !isExpired && frame.code !== 'already_subscribed';
    if (final && !this.#inherited) this.#onForbidden(errorOfFrame(frame, this.channel));
    else if (!final) this.#restFor(frame.code === 'rate_limited' ? 0 : this.#failures.next(), frame.retryAfter);
    this.#changed();
  }

  /** No answer came in time, so what the gateway has is unknown. */
  onTimeout(): void {
    this.#restFor(this.#failures.next());
    this.#startOver();
  }

  /** Takes the answer to `unsubscribe`, or, if it has no `id`, the gateway's own decision. */
  onUnsubscribed(frame: UnsubscribedFrame): void {
    if (frame.id === undefined) {
      // While a command is unanswered, its answer says what is true after this.
      if (this.#wire !== 'on' && this.#wire !== 'stale') return;
      this.#wire = 'off';
      const reason = frame.message ?? 'taken off by the gateway';
      const error = new FanfareClientError(frame.code ?? 'forbidden', reason, { channel: this.channel });
      if (error.retryable || (error.code === 'token_expired' && this.#token.expire(this.#failures.attempts))) {
        this.#audience.down();
        this.#restFor(this.#failures.next());
      } else {
        this.#fail(error);
      }
    } else {
      this.#wire = 'off';
      this.#inherited = false;
    }
    this.#changed();
  }

  onPushed(frame: PushedFrame): void {
    if (this.#wire !== 'on') return;
    const outcome = this.#cursor.take(frame);
    if (outcome === 'gap') this.#discontinuity();
    if (outcome !== 'taken') return;
    if (frame.type === 'message' || frame.type === 'position') this.#gaps.reset();
    this.#startOverIfBehind();
  }

  /** The gateway took us off for reading too slowly, and the socket has drained. */
  onLagged(): void {
    if (this.#wire === 'subscribing') this.#doubtful = true;
    if (this.#wire !== 'on' && this.#wire !== 'stale') return;
    this.#wire = 'off';
    this.#options.stats.lagged++;
    this.#audience.lagged(!this.#durable);
    this.#changed();
  }

  /** What came does not follow from where we stand, so the log decides: the first time at once, then with backoff. */
  #discontinuity(): void {
    this.#options.stats.gaps++;
    const again = this.#gaps.attempts > 0;
    const delayMs = this.#gaps.next();
    if (again) this.#restFor(delayMs);
    this.#startOver();
  }

  /** A subscribe was refused. If it carried the start of one reader, the others can do without that. */
  #onForbidden(error: FanfareClientError): void {
    if (error.code === 'bad_request' && this.#starter) this.#audience.failStart(this.#starter, error);
    else this.#fail(error);
  }

  #fail(error: FanfareClientError): void {
    this.#endRest();
    this.#audience.fail(error);
  }

  /** Starts over if a reader is behind. Listeners may have changed everything meanwhile. */
  #startOverIfBehind(): void {
    if (this.#wire === 'on' && (this.#doubtful || this.#audience.behind)) this.#startOver();
    this.#startOverIfListedWrongly();
  }

  /**
   * Starts over if we are listed and should not be, or the other way round. A live channel has no position to go on
   * from, so it is left and joined again, which `subscribed` tells.
   */
  #startOverIfListedWrongly(): void {
    if (this.#wire === 'on' && this.#present !== this.#audience.presence) this.#startOver();
  }

  #startOver(): void {
    if (this.#wire !== 'off') this.#wire = 'stale';
    this.#changed();
  }

  #restFor(delayMs: number, atLeastMs = 0): void {
    this.#endRest();
    this.#rest = this.#options.clock.after(Math.max(delayMs, atLeastMs), () => {
      this.#rest = undefined;
      this.#changed();
    });
  }

  #endRest(): void {
    this.#rest?.();
    this.#rest = undefined;
  }

  /** Fetches the token before anything is sent. */
  #fetchToken(): void {
    if (!this.#token.isMissing || this.#rest || !this.#audience.active) return;
    this.#token.fetch((error) => {
      // The subscription that the token was for may be gone.
      if (error && !this.empty) {
        if (!error.retryable) this.#fail(error);
        else {
          this.#options.onError(error);
          this.#restFor(this.#failures.next());
        }
      }
      this.#changed();
    });
  }

  #changed(): void {
    this.#fetchToken();
    this.#options.onChange(this);
  }
}

function noPast(channel: string): FanfareClientError {
  return badRequest('a live channel has no past to start from', { channel });
}

function positionOf({ epoch, offset }: SubscribedFrame): Position | undefined {
  return epoch === undefined || offset === undefined ? undefined : { epoch, offset };
}
