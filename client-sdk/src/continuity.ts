import type { EpochFrame, MessageFrame, Position } from '@fanfare/protocol';

/** What a frame says of the offsets that it covers, from `prev` + 1 to `offset`. */
type Covering = Pick<MessageFrame, 'offset' | 'prev'>;

/** Where one stands behind a frame. `seen`: where one was already. `gap`: frames before it are missing. */
type Step = Position | 'seen' | 'gap';

/** What a frame of a durable channel is to someone who stands at `before`. */
export function follow(before: Position, { offset, prev }: Covering): Step {
  // Without an offset it is of a live channel, which this is not: something is wrong.
  if (offset === undefined) return 'gap';
  if (offset <= before.offset) return 'seen';
  if ((prev ?? offset - 1) > before.offset) return 'gap';
  return { epoch: before.epoch, offset };
}

/** What it is to someone who stands at `before` that the log goes on in another epoch. */
export function enter(before: Position, { epoch, offset, prev = offset }: EpochFrame): Step {
  if (before.epoch === epoch && offset <= before.offset) return 'seen';
  if (prev > before.offset || offset < before.offset) return 'gap';
  return { epoch, offset };
}
