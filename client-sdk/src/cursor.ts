import type { EpochFrame, MessageFrame, Position, PositionFrame, ResetFrame } from '@fanfare/protocol';
import type { Audience } from './audience.js';
import { enter, follow } from './continuity.js';
import { messageOf } from './message.js';
import type { Stats } from './stats.js';

/** What the gateway sends unasked of a channel that is on. */
export type PushedFrame = MessageFrame | PositionFrame | EpochFrame | ResetFrame;

/**
 * Where the wire of a channel stands. It takes frames only if they follow from there, and hands them to its audience.
 */
export class Cursor {
  /** The position of a durable channel: every frame that comes is contiguous from here. A live channel has none. */
  position: Position | undefined;
  readonly #audience: Audience;
  readonly #stats: Stats;

  constructor(audience: Audience, stats: Stats) {
    this.#audience = audience;
    this.#stats = stats;
  }

  /** Takes a frame. Returns `gap` if frames before it are missing, and `seen` if there is nothing new in it. */
  take(frame: PushedFrame): 'taken' | 'seen' | 'gap' {
    const before = this.position;
    const audience = this.#audience;
    const stats = this.#stats;
    if (frame.type === 'reset') {
      const { reason, epoch, offset } = frame;
      this.position = { epoch, offset };
      stats.resets++;
      audience.reset(reason, before, this.position, false);
      return 'taken';
    }
    if (before === undefined) {
      if (frame.type !== 'message') return 'seen';
      stats.received++;
      audience.deliverLive(messageOf(frame));
      return 'taken';
    }
    const at = frame.type === 'epoch' ? enter(before, frame) : follow(before, frame);
    if (at === 'seen' && frame.type !== 'epoch') stats.duplicatesDropped++;
    if (at === 'seen' || at === 'gap') return at;
    this.position = at;
    if (frame.type === 'message') {
      stats.received++;
      audience.deliver(messageOf(frame, before.epoch), before, at);
    } else if (frame.type === 'position') audience.pass(before, at);
    else audience.enterEpoch(before, at);
    return 'taken';
  }
}
