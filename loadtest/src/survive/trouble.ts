import type { Sockets } from './sockets.js';

/** What happens to the sockets of a run. */
export interface TroublePlan {
  /** Share of the sockets cut every second, 0-1. */
  readonly cutShare: number;
  /** Share of the sockets that stop reading every second, 0-1; as many stop at once and for the whole run. */
  readonly freezeShare: number;
  /** Shortest and longest time without reading, ms. */
  readonly freezeMs: readonly [number, number];
}

/** Trouble comes in strokes, as many of them as the time that has passed asks for, ms. */
const STROKE_MS = 100;

/** Makes trouble for so many sockets until the result is called. */
export function makeTrouble(sockets: Sockets, count: number, plan: TroublePlan): () => void {
  const { cutShare, freezeShare, freezeMs } = plan;
  const [shortest, longest] = freezeMs;
  if (freezeShare > 0) sockets.freeze(Math.ceil(count * freezeShare));
  const cutsDue = atRate(count * cutShare);
  const freezesDue = atRate(count * freezeShare);
  const timer = setInterval(() => {
    sockets.cut(cutsDue());
    sockets.freeze(freezesDue(), () => shortest + Math.random() * (longest - shortest));
  }, STROKE_MS);
  return () => clearInterval(timer);
}

/** How many are due since the last call; the first one anywhere within its time. */
function atRate(perSecond: number): () => number {
  const beganAt = performance.now();
  const early = Math.random();
  let done = 0;
  return () => {
    const due = Math.floor(early + ((performance.now() - beganAt) / 1000) * perSecond) - done;
    done += due;
    return due;
  };
}
