import type { Point } from '../report/result.js';
import type { Recording } from './recording.js';

/** An event loop that is busier than this for most of the time has nothing left to give. */
const BUSY = 0.92;
/**
 * Share of a core. A loop also counts as busy while its process waits for a core that others use. So it was busy with
 * its own work only if its process computed for this much of the time. A process that shares its core with a gateway and
 * with Redis gets somewhat less than all of it.
 */
const COMPUTING = 0.7;
/** A loop that was never idle did not come to the end of what had arrived, whoever had the core: its queue grew. */
const NEVER_IDLE = 0.995;
const MOST = 0.5;
/** If the 99th percentile of lateness is above this, messages were published by another schedule than asked for, ms. */
const LATE_P99_MS = 250;
/** Least number of points, of a second each, that say anything. */
const MIN_POINTS = 3;

interface GeneratorVerdict {
  /** Why the figures are those of the generators and not of the gateway; empty if they are not. */
  readonly limits: readonly string[];
  /** What else to know about the generators when figures are read. */
  readonly notes: readonly string[];
}

/** Whether the generators did what they were asked to, or were what limited the run. */
export function judgeGenerators({ points, lateness }: Recording, skipped: number): GeneratorVerdict {
  const limits: string[] = [];
  const notes: string[] = [];
  const loaded = points.filter(({ published, received }) => published > 0 || received > 0);
  const isMost = (count: number) => loaded.length >= MIN_POINTS && count > loaded.length * MOST;
  const isBusy = ({ generatorBusy }: Point) => generatorBusy > BUSY;
  const busy = loaded.filter(isBusy).length;
  const saturated = loaded.filter(
    (point) => isBusy(point) && (point.generatorCore > COMPUTING || point.generatorBusy > NEVER_IDLE),
  ).length;
  const isSaturated = isMost(saturated);
  if (isSaturated) {
    limits.push(
      `a generator process could not keep up in ${saturated} of ${loaded.length} seconds: latencies include its own queue`,
    );
  } else if (isMost(busy)) {
    notes.push(
      `In ${busy} of ${loaded.length} seconds a generator waited for a core that other processes used: latencies include that.`,
    );
  }
  const lateMs = lateness.totalCount === 0 ? 0 : lateness.getValueAtPercentile(99) / 1000;
  if (lateMs > LATE_P99_MS) {
    const late = `messages left ${Math.round(lateMs)} ms after they were due (p99)`;
    if (isSaturated) limits.push(late);
    else
      notes.push(
        `${late[0]?.toUpperCase()}${late.slice(1)}: the publishers' connections took no more, or the machine was busy.`,
      );
  }
  if (skipped > 0) limits.push(`${skipped} messages of the schedule could not be sent at all`);
  return { limits, notes };
}
