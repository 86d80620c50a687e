import type { Position, ResetReason } from '@fanfare/protocol';
import type { FanfareClientError } from './errors.js';
import type { Message } from './message.js';

/**
 * How a local subscription stands to the wire:
 * - `flowing`: takes what comes, or will once the gateway has answered;
 * - `behind`: wants messages that the wire is past: it has to start over from there;
 * - `paused`: its application is slow; takes nothing.
 */
export type Flow = 'flowing' | 'behind' | 'paused';

/** A local subscription, as its channel sees it. In each call it may pause, leave, or others may join. */
export interface Member {
  flow: Flow;
  /** Where it stands: the last message it was given. Undefined before the first `subscribed`, and on live channels. */
  position: Position | undefined;
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
 * a member is given the message after its position and no other, or is told of a reset.
 *
 * A member may be ahead of the wire, where the wire started over for another one: what it has seen
 * passes it by. `before` and `at` are where the wire stood and stands.
 */
export class Audience {
  readonly #members = new Set<Member>();

  get size(): number {
    return this.#members.size;
  }

  /** Whether somebody wants messages. */
  get active(): boolean {
    for (const member of this.#members) if (member.flow !== 'paused') return true;
    return false;
  }

  /** Whether somebody wants messages that the wire is past. */
  get behind(): boolean {
    for (const member of this.#members) if (member.flow === 'behind') return true;
    return false;
  }

  /** Where the wire has to start for everybody to get what is missing: the position furthest back. */
  get start(): Position | undefined {
    let start: Position | undefined;
    for (const { flow, position } of this.#members) {
      if (flow === 'paused' || position === undefined) continue;
      const first = start === undefined || position.offset < start.offset;
      // Of two names for one offset the one that is not proven yet is put to the test.
      if (first || (position.offset === start?.offset && flow === 'behind')) start = position;
    }
    return start;
  }

  add(member: Member): void {
    this.#members.add(member);
  }

  delete(member: Member): void {
    this.#members.delete(member);
  }

  /** Everybody who does not pause takes part in the subscribe that is sent now. */
  engage(): void {
    for (const member of this.#members) if (member.flow !== 'paused') member.flow = 'flowing';
  }

  /** The gateway has the channel, with no position to resume: everybody who took part stands at `at` now. */
  subscribed(durable: boolean, at: Position | undefined): void {
    this.#eachFlowing((member) => {
      member.position = at;
      member.onSubscribed(durable);
    });
  }

  /** The wire goes on from `since`, by the name `at`. */
  recovered(since: Position, at: Position): void {
    this.#eachFlowing((member) => {
      const late = member.position === undefined;
      if (late || samePosition(member.position, since)) member.position = at;
      member.onSubscribed(true);
      if (!late && this.#members.has(member)) member.onRecovered();
    });
  }

  /** The wire could not go on from `before`. `answered`: a subscribe was; otherwise it happened on the way. */
  reset(reason: ResetReason, before: Position | undefined, at: Position, answered: boolean): void {
    this.#eachFlowing((member) => {
      const stood = member.position;
      // One that is ahead has lost nothing where the log was only trimmed.
      const ahead = stood?.epoch === at.epoch && stood.offset >= at.offset && !samePosition(stood, before);
      const broken = stood !== undefined && !(ahead && reason === 'expired');
      if (broken || stood === undefined) member.position = at;
      if (answered) member.onSubscribed(true);
      if (broken && this.#members.has(member)) member.onReset(reason, stood);
    });
  }

  /** The place has a new name. */
  rename(before: Position, at: Position): void {
    for (const member of this.#members) {
      if (member.flow === 'flowing' && samePosition(member.position, before)) member.position = at;
    }
  }

  /** The message at `at`, which follows `before`. */
  deliver(message: Message, before: Position, at: Position): void {
    for (const member of this.#members) {
      if (member.flow !== 'flowing') continue;
      const stood = member.position;
      if (!samePosition(stood, before)) {
        if (stood && stood.offset >= at.offset) continue;
        // It was ahead, and the wire came by under another epoch: the log went on without what it saw.
        member.position = before;
        if (stood) member.onReset('diverged', stood);
        if (member.flow !== 'flowing' || !this.#members.has(member)) continue;
      }
      member.position = at;
      member.onMessage(message);
    }
  }

  /** A message of a live channel. */
  deliverLive(message: Message): void {
    this.#eachFlowing((member) => member.onMessage(message));
  }

  lagged(missed: boolean): void {
    this.#eachFlowing((member) => member.onLagged(missed));
  }

  down(): void {
    for (const member of this.#members) member.onDown();
  }

  /** The channel is not to be had: everybody is told and leaves. */
  fail(error: FanfareClientError): void {
    const members = [...this.#members];
    this.#members.clear();
    for (const member of members) member.onFailed(error);
  }

  /** Those who join in a call are not visited, those who leave neither. */
  #eachFlowing(act: (member: Member) => void): void {
    for (const member of [...this.#members]) {
      if (member.flow === 'flowing' && this.#members.has(member)) act(member);
    }
  }
}

export function samePosition(a: Position | undefined, b: Position | undefined): boolean {
  return a === b || (a?.offset === b?.offset && a?.epoch === b?.epoch);
}
