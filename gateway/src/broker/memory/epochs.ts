let lastEpoch = 0;

/**
 * A new epoch: microseconds since the Unix epoch, or more if that is needed to be greater than every epoch that this
 * process gave before.
 */
export function nextEpoch(nowMs: number): number {
  lastEpoch = Math.max(Math.floor(nowMs * 1000), lastEpoch + 1);
  return lastEpoch;
}
