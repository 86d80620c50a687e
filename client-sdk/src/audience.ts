import type { Position, ResetReason, SubscribeFrame } from '@fanfare/protocol';
import type { FanfareClientError } from './errors.js';
import type { Message } from './message.js';

/**
 * How a local subscription stands to the wire:
 * - `flowing`: takes what comes, or will once the gateway has answered;
 * - `behind`: stands elsewhere than the wire: it has to start over from there;
 * - `paused`: its application is slow; takes nothing.
 */
export type Flow = 'flowing' | 'behind' | 'paused';

/** A start in the past of the log that is no position. */
export type FirstStart = Pick<SubscribeFrame, 'rewind' | 'rewindMs'>;

/** A local subscription, as its channel sees it. In each call it may pause, leave, or others may join. */
export interface Reader {
  flow: Flow;
  /**
   * Where it stands: at the last message it was given, or further on where the log holds nothing for it.
   * Undefined before the first `subscribed`, and on live channels.
   */
  position: Position | undefined;
  /** How it wants to begin, until it has a position. */
  start?: FirstStart | undefined;
  /** There if it wants to be listed on the channel, and to know of the others. */
  readonly presence?: object | undefined;
  /** Whether it was told that it is on the channel, and not yet that it is off. */
  readonly isSubscribed: boolean;
  onSubscribed(durable: boolean): void;
  onRecovered(): void;
  /** `position` has been set. */
  onMessage(message: Message): void;
  /** `position` has been set. */
  onReset(reason: ResetReason, previous: Position): void;
  onLagged(missed: boolean): void;
  onDown(): void;
  onFailed(error: FanfareClientError): void;
}

/**
 * The local subscriptions of one channel, each with its own position. Holds the delivery promise:
 * a reader is given the message after its position and no other, or is told of a reset.
 *
 * A reader may be ahead of the wire, where the wire started over for another one: what it has seen
 * passes it by. `before` and `at` are where the wire stood and stands.
 */
export class Audience {
  readonly #readers = new Set<Reader>();
  /** What the wire went on from, one after the other, while nothing has come since. */
  #proven: Position[] = [];

  get size(): number {
    return this.#readers.size;
  }

  /** Whether somebody wants messages. */
  get active(): boolean {
    for (const reader of this.#readers) if (reader.flow !== 'paused') return true;
    return false;
  }

  /** Whether somebody wants to be listed. */
  get presence(): boolean {
    for (const reader of this.#readers) if (reader.presence) return true;
    return false;
  }

  /** Whether somebody stands where the wire will not come by. */
  get behind(): boolean {
    for (const reader of this.#readers) if (reader.flow === 'behind') return true;
    return false;
  }

  /**
   * Whose own start the next subscribe has to carry. Those who want neither a start nor a position come first: they
   * begin with what is published from now on.
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

  /** Where the wire has to start: those behind are put to the test first, then it is the position furthest back. */
  get start(): Position | undefined {
    return this.#furthestBack('behind') ?? this.#furthestBack('flowing');
  }

  add(reader: Reader): void {
    this.#readers.add(reader);
  }

  delete(reader: Reader): void {
    this.#readers.delete(reader);
  }

  /** Everybody takes part in the subscribe that is sent now who does not pause, nor waits for one with its own start. */
  engage(starter?: Reader): void {
    for (const reader of this.#readers) {
      if (reader.flow === 'paused') continue;
      reader.flow = reader.start && reader !== starter ? 'behind' : 'flowing';
    }
  }

  /** The gateway has the channel, from no position of ours: who has one has to be started for, the others stand at `at`. */
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
   * The wire begins at `at`, by the start of one. It comes by for who stands where it was last, `from`, and is further
   * on in that epoch; other positions are tested.
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

  /** The wire goes on from `since`, by the name `at`. */
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
      // Another epoch may be a later one, or one of no log, by whatever offset.
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

  /** The wire could not go on from `before`. `answered`: a subscribe was; otherwise it happened on the way. */
  reset(reason: ResetReason, before: Position | undefined, at: Position, answered: boolean): void {
    this.#proven = [];
    this.#eachFlowing((reader) => {
      const stood = reader.position;
      const broken = stood !== undefined && samePosition(stood, before);
      if (broken || stood === undefined) {
        reader.position = at;
      } else if (reason !== 'expired' || stood.epoch !== at.epoch || stood.offset < at.offset) {
        // It was ahead, so this says nothing of it: it is put to the test by itself. Only of a log that
        // was trimmed it is known that nothing ahead is missing.
        reader.flow = 'behind';
        return;
      }
      if (answered) reader.onSubscribed(true);
      if (broken && this.#readers.has(reader)) reader.onReset(reason, stood);
    });
  }

  /** The epoch of `before` ended at the offset of `at`, which names the place in the next one. */
  enterEpoch(before: Position, at: Position): void {
    this.#proven = [];
    this.#eachFlowing((reader) => {
      const stood = reader.position;
      const isPassed = stood?.epoch === before.epoch && before.offset <= stood.offset && stood.offset <= at.offset;
      if (isPassed) reader.position = at;
      // It stood there by another name, or at what a fork lost.
      else if (stood && stood.offset <= at.offset && !samePosition(stood, at)) reader.flow = 'behind';
      else this.#checkAhead(reader, before, at);
    });
  }

  /** A paused one goes on where the wire stands, which may be of another connection than that on which it paused. */
  goOn(reader: Reader, durable: boolean): void {
    reader.flow = 'flowing';
    if (reader.isSubscribed) return;
    reader.onSubscribed(durable);
    if (this.#readers.has(reader)) reader.onRecovered();
  }

  /** The message at `at`, which follows `before`; it stands for the offsets between, if there are any. */
  deliver(message: Message, before: Position, at: Position): void {
    this.#proven = [];
    for (const reader of this.#readers) if (this.#advance(reader, before, at)) reader.onMessage(message);
  }

  /** The log went on from `before` to `at` with nothing for anybody here. */
  pass(before: Position, at: Position): void {
    this.#proven = [];
    for (const reader of this.#readers) this.#advance(reader, before, at);
  }

  /** A message of a live channel. */
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

  /** A start that the channel does not have is told to who wanted it, who leaves. */
  failStart(reader: Reader, error: FanfareClientError): void {
    if (this.#readers.delete(reader)) reader.onFailed(error);
  }

  /** The channel has no past, as it turned out: nobody can begin there. */
  failStarts(error: FanfareClientError): void {
    for (const reader of [...this.#readers]) if (reader.start) this.failStart(reader, error);
  }

  /** The channel is not to be had: everybody is told and leaves. */
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

  /** Takes a reader along from `before` to `at`; whether what is there is for it. */
  #advance(reader: Reader, before: Position, at: Position): boolean {
    const stood = reader.position;
    if (reader.flow !== 'flowing') return false;
    if (stood && stood.offset >= at.offset) {
      // One offset in two epochs: either a border, or the log went on without what it saw. Its own position will tell.
      if (stood.offset === at.offset && stood.epoch !== at.epoch) reader.flow = 'behind';
      return false;
    }
    // It may stand on the way, where what came covers several offsets.
    const isPassed = stood === undefined || (stood.epoch === before.epoch && stood.offset >= before.offset);
    if (!isPassed && stood.offset === before.offset) {
      // The same place by another name, or what a fork lost: going on from there tells which.
      reader.flow = 'behind';
      return false;
    }
    if (!isPassed) {
      // It was ahead, and the wire came by under another epoch: the log went on without what it saw.
      reader.position = before;
      reader.onReset('diverged', stood);
      if (reader.flow !== 'flowing' || !this.#readers.has(reader)) return false;
    }
    reader.position = at;
    return true;
  }

  /** The epoch of `before` ended there: a reader that is further on in it has seen what the log lost. */
  #checkAhead(reader: Reader, before: Position, at: Position): void {
    const stood = reader.position;
    if (before.epoch === at.epoch || stood?.epoch !== before.epoch || stood.offset <= at.offset) return;
    reader.position = at;
    reader.onReset('diverged', stood);
  }

  /** Those who join in a call are not visited, those who leave neither. */
  #eachFlowing(act: (reader: Reader) => void): void {
    for (const reader of [...this.#readers]) {
      if (reader.flow === 'flowing' && this.#readers.has(reader)) act(reader);
    }
  }
}

/**
 * Whether `stood` was tested between two tests of `since`, of which the last is now: then it waits for what comes. Two
 * names of one offset may still be two places: who answers may not know yet of the fork that lost one of them.
 */
function wasTested(proven: readonly Position[], stood: Position, since: Position): boolean {
  const first = proven.findIndex((one) => samePosition(one, since));
  return first >= 0 && proven.slice(first).some((one) => samePosition(one, stood));
}

export function samePosition(a: Position | undefined, b: Position | undefined): boolean {
  return a === b || (a?.offset === b?.offset && a?.epoch === b?.epoch);
}
