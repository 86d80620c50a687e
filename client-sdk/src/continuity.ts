import type { EpochFrame, MessageFrame, Position } from '@fanfare/protocol';

/** The offsets that a frame covers: from `prev` + 1 to `offset`. */
type Covering = Pick<MessageFrame, 'offset' | 'prev'>;

/** Where a reader stands behind a frame. `seen`: it was there already. `gap`: frames before it are missing. */
type Step = Position | 'seen' | 'gap';

/** Returns what a frame of a durable channel means to a reader that stands at `before`. */
export function follow(before: Position, { offset, prev }: Covering): Step {
  // A frame without an offset is of a live channel, which this is not, so something is wrong.
  if (offset === undefined) return 'gap';
  if (offset <= before.offset) return 'seen';
  if ((prev ?? offset - 1) > before.offset) return 'gap';
  return { epoch: before.epoch, offset };
}

/** Returns what it means to a reader that stands at `before` that the log goes on in another epoch. */
export function enter(before: Position, { epoch, offset, prev = offset }: EpochFrame): Step {
  if (before.epoch === epoch && offset <= before.offset) return 'seen';
  if (prev > before.offset || offset < before.offset) return 'gap';
  return { epoch, offset };
}
