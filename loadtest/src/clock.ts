/**
 * Microseconds of the machine's monotonic clock: the same in every process of this machine, so that a
 * message can be stamped in one and timed in another.
 */
const ORIGIN_US = calibrate();

/**
 * Compares two clocks. One is read between two readings of the other, until these are close together, because this
 * process may be interrupted at any time.
 */
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

/**
 * What is added to the clock of this machine, us: the difference to the clock of the machine that gave an agent its
 * work.
 */
let offsetUs = 0;

export function nowUs(): number {
  return ORIGIN_US + performance.now() * 1000 + offsetUs;
}

export function setClockOffset(us: number): void {
  offsetUs = us;
}
