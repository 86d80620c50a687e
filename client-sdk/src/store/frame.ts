/** What pages have and servers do not. */
interface Place {
  requestAnimationFrame?(callback: () => void): number;
  cancelAnimationFrame?(frame: number): void;
}

/** The delay that stands for a frame outside of pages, ms. */
const FRAME_MS = 16;
/** The delay that stands for a frame in a hidden page, which is given no frames, ms. */
const HIDDEN_MS = 250;

const waiting = new Set<() => void>();
let cancel: (() => void) | undefined;

/**
 * Calls back before the next frame, once however often it is asked for. All callbacks run together, so that they are
 * rendered together.
 */
export function onNextFrame(callback: () => void): void {
  waiting.add(callback);
  if (cancel) return;
  const { requestAnimationFrame, cancelAnimationFrame } = globalThis as Place;
  const timer = setTimeout(run, requestAnimationFrame ? HIDDEN_MS : FRAME_MS);
  const frame = requestAnimationFrame?.call(globalThis, run);
  cancel = () => {
    clearTimeout(timer);
    if (frame !== undefined) cancelAnimationFrame?.call(globalThis, frame);
  };
}

function run(): void {
  cancel?.();
  cancel = undefined;
  const callbacks = [...waiting];
  waiting.clear();
  for (const callback of callbacks) callback();
}
