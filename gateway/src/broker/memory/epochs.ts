let lastEpoch = 0;

/** Microseconds since the Unix epoch, or more: greater than any epoch this process gave before. */
export function nextEpoch(nowMs: number): number {
  lastEpoch = Math.max(Math.floor(nowMs * 1000), lastEpoch + 1);
  return lastEpoch;
}
