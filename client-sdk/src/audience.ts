import type { Position, ResetReason, SubscribeFrame } from '@fanfare/protocol';
import type { FanfareClientError } from './errors.js';
import type { Message } from './message.js';

/**
 * How a local subscription stands to the wire.
 * - `flowing`: it takes what comes, or will once the gateway has answered.
 * - `behind`: it stands elsewhere than the wire, which has to start over from there.
 * - `paused`: its application is slow, so it takes nothing.
 */
export type Flow = 'flowing' | 'behind' | 'paused';

/** A start in the past of the log that is no position. */
export type FirstStart = Pick<SubscribeFrame, 'rewind' | 'rewindMs'>;

/** A local subscription, as its channel sees it. In each call it may pause or leave, or others may join. */
export interface Reader {
  flow: Flow;
  /**
   * Where it stands: at the last message it was given, or further on if the log holds nothing for it there. It is
   * undefined before the first `subscribed`, and on live channels.
   */
  position: Position | undefined;
  /** How it wants to begin. It is set until the reader has a position. */
  start?: FirstStart | undefined;
  /** Set if it wants to be listed on the channel and to know of the others. */
  readonly presence?: object | undefined;
  /** Whether it was told that it is on the channel, and not yet that it is off. */
  readonly isSubscribed: boolean;
  onSubscribed(durable: boolean): void;
  onRecovered(): void;
  /** Called with a message. `position` has been set. */
  onMessage(message: Message): void;
  /** Called when continuity is broken. `position` has been set. */
  onReset(reason: ResetReason, previous: Position): void;
  onLagged(missed: boolean): void;
  onDown(): void;
  onFailed(error: FanfareClientError): void;
}

/**
 * The local subscriptions of one channel, each with its own position. It holds the delivery promise: a reader is given
 * the message after its position and no other, or is told of a reset.
 *
 * A reader may be ahead of the wire, if the wire started over for another one. Then what it has seen passes it by. In
 * the methods, `before` and `at` are where the wire stood and where it stands.
 */
export class Audience {
  readonly #readers = new Set<Reader>();
  /** The positions that the wire went on from, one after the other, while nothing has come since. */
  #proven: Position[] = [];

  get size(): number {
    return this.#readers.size;
  }

  /** Whether any reader wants messages. */
  get active(): boolean {
    for (const reader of this.#readers) if (reader.flow !== 'paused') return true;
    return false;
  }

  /** Whether any reader wants to be listed. */
  get presence(): boolean {
    for (const reader of this.#readers) if (reader.presence) return true;
    return false;
  }

  /** Whether any reader stands where the wire will not come by. */
  get behind(): boolean {
    for (const reader of this.#readers) if (reader.flow === 'behind') return true;
    return false;
  }

  /**
   * The reader whose own start the next subscribe has to carry. Readers that want neither a start nor a position come
   * first, because they begin with what is published from now on.
   */
  get starter(): Reader | undefined {
    let starter: Reader | undefined;
    for (const reader of this.#readers) {
      if (reader.flow === 'paused' || reader.position) continue;
      if (!reader.start) return undefined;
      starter ??= reader;
    }
    return starter;
  }

  /**
   * Where the wire has to start. Readers that are behind come first, so that their positions are tested; among them, or
   * else among those that flow, the position furthest back counts.
   */
  get start(): Position | undefined {
    return this.#furthestBack('behind') ?? this.#furthestBack('flowing');
  }

  add(reader: Reader): void {
    this.#readers.add(reader);
  }

  delete(reader: Reader): void {
    this.#readers.delete(reader);
  }

  /**
   * Lets all readers take part in the subscribe that is sent now, except those that are paused and those that wait for
   * one with a start of their own.
   */
  engage(starter?: Reader): void {
    for (const reader of this.#readers) {
      if (reader.flow === 'paused') continue;
      reader.flow = reader.start && reader !== starter ? 'behind' : 'flowing';
    }
  }

  /**
   * The gateway has the channel, and began from no position of ours. Readers that have another position are `behind`
   * from now on; the others stand at `at`.
   */
  subscribed(durable: boolean, at: Position | undefined): void {
    this.#eachFlowing((reader) => {
      if (durable && reader.position !== undefined && !samePosition(reader.position, at)) {
        reader.flow = 'behind';
        return;
      }
      reader.position = at;
      reader.start = undefined;
      reader.onSubscribed(durable);
    });
  }

  /**
   * The wire begins at `at`, by the start of one reader. It will come by readers that stand where it was last, `from`,
   * and are further on in that epoch. Readers with other positions are `behind` from now on, so that these are tested.
   */
  rewound(at: Position, from: Position | undefined): void {
    this.#eachFlowing((reader) => {
      const stood = reader.position;
      const isHere = stood === undefined || samePosition(stood, at);
      const isAhead = samePosition(stood, from) && stood?.epoch === at.epoch && stood.offset > at.offset;
      if (!isHere && !isAhead) {
        reader.flow = 'behind';
        return;
      }
      if (isHere) reader.position = at;
      reader.start = undefined;
      reader.onSubscribed(true);
      if (stood && this.#readers.has(reader)) reader.onRecovered();
    });
  }

  /** The wire goes on from `since`, whose name now is `at`. */
  recovered(since: Position, at: Position): void {
    const proven = this.#proven;
    this.#proven = [...proven, since];
    this.#eachFlowing((reader) => {
      const stood = reader.position;
      if (stood === undefined) {
        reader.position = at;
        reader.onSubscribed(true);
        return;
      }
      const isHere = samePosition(stood, since);
      const isAhead = stood.offset > since.offset && (stood.epoch === since.epoch || stood.epoch === at.epoch);
      // A position of another epoch may be of a later epoch or of one of no log, whatever its offset.
      const isTested = stood.offset >= since.offset && wasTested(proven, stood, since);
      if (!isHere && !isAhead && !isTested) {
        reader.flow = 'behind';
        return;
      }
      if (isHere) reader.position = at;
      reader.onSubscribed(true);
      if (this.#readers.has(reader)) reader.onRecovered();
      if (!isHere) this.#checkAhead(reader, since, at);
    });
  }

  /**
   * The wire could not go on from `before`. `answered` says whether this answers a subscribe; otherwise it happened on
   * the way.
   */
  reset(reason: ResetReason, before: Position | undefined, at: Position, answered: boolean): void {
    this.#proven = [];
    this.#eachFlowing((reader) => {
      const stood = reader.position;
      const broken = stood !== undefined && samePosition(stood, before);
      if (broken || stood === undefined) {
        reader.position = at;
      } else if (reason !== 'expired' || stood.epoch !== at.epoch || stood.offset < at.offset) {
        // The reader was ahead, so this says nothing of its position, which is tested by itself. Only if a log was
        // trimmed is it known that nothing ahead is missing.
        reader.flow = 'behind';
        return;
      }
      if (answered) reader.onSubscribed(true);
      if (broken && this.#readers.has(reader)) reader.onReset(reason, stood);
    });
  }

  /** The epoch of `before` ended at the offset of `at`, which names this place in the next epoch. */
  enterEpoch(before: Position, at: Position): void {
    this.#proven = [];
    this.#eachFlowing((reader) => {
      const stood = reader.position;
      const isPassed = stood?.epoch === before.epoch && before.offset <= stood.offset && stood.offset <= at.offset;
      if (isPassed) reader.position = at;
      // The reader stood at this place by another name, or at a message that a fork lost.
      else if (stood && stood.offset <= at.offset && !samePosition(stood, at)) reader.flow = 'behind';
      else this.#checkAhead(reader, before, at);
    });
  }

  /**
   * A paused reader goes on where the wire stands. That may be on another connection than the one on which it paused.
   */
  goOn(reader: Reader, durable: boolean): void {
    reader.flow = 'flowing';
    if (reader.isSubscribed) return;
    reader.onSubscribed(durable);
    if (this.#readers.has(reader)) reader.onRecovered();
  }

  /** Delivers the message at `at`, which follows `before`. It stands for the offsets between them, if there are any. */
  deliver(message: Message, before: Position, at: Position): void {
    this.#proven = [];
    for (const reader of this.#readers) if (this.#advance(reader, before, at)) reader.onMessage(message);
  }

  /** The log went on from `before` to `at`, with nothing for any reader here. */
  pass(before: Position, at: Position): void {
    this.#proven = [];
    for (const reader of this.#readers) this.#advance(reader, before, at);
  }

  /** Delivers a message of a live channel. */
  deliverLive(message: Message): void {
    this.#eachFlowing((reader) => reader.onMessage(message));
  }

  lagged(missed: boolean): void {
    this.#eachFlowing((reader) => reader.onLagged(missed));
  }

  down(): void {
    this.#proven = [];
    for (const reader of this.#readers) reader.onDown();
  }

  /** Tells a reader that the channel does not have the start it wanted. The reader leaves. */
  failStart(reader: Reader, error: FanfareClientError): void {
    if (this.#readers.delete(reader)) reader.onFailed(error);
  }

  /** The channel turned out to have no past, so no reader can begin there. */
  failStarts(error: FanfareClientError): void {
    for (const reader of [...this.#readers]) if (reader.start) this.failStart(reader, error);
  }

  /** The channel cannot be had. All readers are told and leave. */
  fail(error: FanfareClientError): void {
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const reader of readers) reader.onFailed(error);
  }

  #furthestBack(flow: Flow): Position | undefined {
    let start: Position | undefined;
    for (const reader of this.#readers) {
      const { position } = reader;
      if (reader.flow === flow && position && position.offset < (start?.offset ?? Number.POSITIVE_INFINITY))
        start = position;
    }
    return start;
  }

  /** Moves a reader from `before` to `at`. Returns whether what is there is for it. */
  #advance(reader: Reader, before: Position, at: Position): boolean {
    const stood = reader.position;
    if (reader.flow !== 'flowing') return false;
    if (stood && stood.offset >= at.offset) {
      // There is one offset in two epochs. It is a border between them, or the log went on without what the reader saw;
      // a subscribe from its own position will tell.
      if (stood.offset === at.offset && stood.epoch !== at.epoch) reader.flow = 'behind';
      return false;
    }
    // The reader may stand on the way, if what came covers several offsets.
    const isPassed = stood === undefined || (stood.epoch === before.epoch && stood.offset >= before.offset);
    if (!isPassed && stood.offset === before.offset) {
      // It is the same place by another name, or a message that a fork lost. Going on from there tells which.
      reader.flow = 'behind';
      return false;
    }
    if (!isPassed) {
      // The reader was ahead, and the wire came by in another epoch: the log went on without what the reader saw.
      reader.position = before;
      reader.onReset('diverged', stood);
      if (reader.flow !== 'flowing' || !this.#readers.has(reader)) return false;
    }
    reader.position = at;
    return true;
  }

  /**
   * The epoch of `before` ended at `at`: a reader that is further on in that epoch has seen messages that the log lost.
   */
  #checkAhead(reader: Reader, before: Position, at: Position): void {
    const stood = reader.position;
    if (before.epoch === at.epoch || stood?.epoch !== before.epoch || stood.offset <= at.offset) return;
    reader.position = at;
    reader.onReset('diverged', stood);
  }

  /** Calls `act` for all readers that flow. Readers that join or leave in a call are not visited. */
  #eachFlowing(act: (reader: Reader) => void): void {
    for (const reader of [...this.#readers]) {
      if (reader.flow === 'flowing' && this.#readers.has(reader)) act(reader);
    }
  }
}

/**
 * Returns whether `stood` was tested between two tests of `since`, of which the last is now. Then the reader waits for
 * what comes. Two names of one offset may still be two places: the gateway that answers may not know yet of the fork
 * that lost one of them.
 */
function wasTested(proven: readonly Position[], stood: Position, since: Position): boolean {
  const first = proven.findIndex((one) => samePosition(one, since));
  return first >= 0 && proven.slice(first).some((one) => samePosition(one, stood));
}

export function samePosition(a: Position | undefined, b: Position | undefined): boolean {
  return a === b || (a?.offset === b?.offset && a?.epoch === b?.epoch);
}
