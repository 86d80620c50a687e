/**
 * Microseconds of the machine's monotonic clock: the same in every process of this machine, so that a
 * message can be stamped in one and timed in another.
 */
const ORIGIN_US = calibrate();

/** Read between two readings of the cheaper clock, until these are close: this process may be put aside at any time. */
function calibrate(): number {
  let best = Number.POSITIVE_INFINITY;
  let originUs = 0;
  for (let attempt = 0; attempt < 50; attempt++) {
    const before = performance.now();
    const now = process.hrtime.bigint();
    const after = performance.now();
    if (after - before >= best) continue;
    best = after - before;
    originUs = Number(now) / 1000 - (before + after) * 500;
  }
  return originUs;
}

/** Added to this machine's clock: what an agent lacks to the clock of who asked it to work. */
let offsetUs = 0;

export function nowUs(): number {
  return ORIGIN_US + performance.now() * 1000 + offsetUs;
}

export function setClockOffset(us: number): void {
  offsetUs = us;
}
