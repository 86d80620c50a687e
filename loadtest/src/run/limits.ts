import type { Recording } from './recording.js';

/** An event loop that is busier than this for most of the time has nothing left to give. */
const BUSY = 0.92;
const BUSY_SHARE = 0.5;
/** Messages that leave later than this are those of another schedule, ms. */
const LATE_P99_MS = 250;

/** Why the figures are those of the generators and not of the gateway; empty if they are not. */
export function generatorLimits(recording: Recording, skipped: number): string[] {
  const limits: string[] = [];
  const points = recording.points.filter(({ published, received }) => published > 0 || received > 0);
  const busy = points.filter(({ generatorBusy }) => generatorBusy > BUSY).length;
  if (points.length >= 3 && busy > points.length * BUSY_SHARE) {
    limits.push(
      `a generator's event loop was more than ${BUSY * 100} % busy in ${busy} of ${points.length} seconds: latencies include its own queue`,
    );
  }
  const { lateness } = recording;
  const lateMs = lateness.totalCount === 0 ? 0 : lateness.getValueAtPercentile(99) / 1000;
  if (lateMs > LATE_P99_MS && busy > points.length * BUSY_SHARE) {
    limits.push(`messages left ${Math.round(lateMs)} ms after they were due (p99)`);
  }
  if (skipped > 0) limits.push(`${skipped} messages of the schedule could not be sent at all`);
  return limits;
}
