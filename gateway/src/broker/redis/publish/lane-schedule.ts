import type { Cancel, Clock } from '../../../clock.js';
import type { PublishLane } from './lane.js';

/** How often lanes that wait for a retry are looked at, ms. */
const RETRY_TICK_MS = 20;

/** When the lanes of a publisher are sent: together at the end of the turn, later for a retry, or after others. */
export class LaneSchedule {
  readonly #clock: Clock;
  readonly #flush: (lanes: ReadonlySet<PublishLane>) => void;
  /** Lanes with something to send now. */
  #ready = new Set<PublishLane>();
  /** Lanes that wait until their `retryAt`. */
  readonly #waiting = new Set<PublishLane>();
  /**
   * Lanes that wait until the round of replicated batches before them is answered, because replicated batches leave
   * together.
   */
  readonly #parked = new Set<PublishLane>();
  #isFlushScheduled = false;
  #cancelTick: Cancel | undefined;

  /** @param flush sends what is in these lanes; called at most once a turn of the event loop */
  constructor(clock: Clock, flush: (lanes: ReadonlySet<PublishLane>) => void) {
    this.#clock = clock;
    this.#flush = flush;
  }

  /**
   * Has the lane sent at the end of this turn of the event loop, unless it is empty, is on its way, or waits for
   * something.
   */
  add(lane: PublishLane): void {
    if (lane.isEmpty || lane.isBusy || this.#waiting.has(lane) || this.#parked.has(lane)) return;
    this.#ready.add(lane);
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#clock.soon(() => {
      this.#isFlushScheduled = false;
      const lanes = this.#ready;
      this.#ready = new Set();
      this.#flush(lanes);
    });
  }

  /** Has the lane sent at its `retryAt`, or when {@link wake} is called before that. */
  addLater(lane: PublishLane): void {
    if (lane.isEmpty || lane.retryAt <= this.#clock.now()) {
      this.add(lane);
      return;
    }
    this.#waiting.add(lane);
    this.#tickLater();
  }

  /** Has the lane sent once {@link unpark} is called. */
  park(lane: PublishLane): void {
    this.#parked.add(lane);
    this.#tickLater();
  }

  unpark(): void {
    const lanes = [...this.#parked];
    this.#parked.clear();
    for (const lane of lanes) this.add(lane);
  }

  /** Sends all waiting lanes now, whatever they wait for. */
  wake(): void {
    this.unpark();
    const lanes = [...this.#waiting];
    this.#waiting.clear();
    for (const lane of lanes) this.add(lane);
  }

  /** Stops: lanes that wait are not sent any more. */
  close(): void {
    this.#cancelTick?.();
  }

  #tickLater(): void {
    this.#cancelTick ??= this.#clock.after(RETRY_TICK_MS, () => this.#tick());
  }

  #tick(): void {
    this.#cancelTick = undefined;
    const now = this.#clock.now();
    for (const lane of this.#parked) lane.expire(now);
    this.unpark();
    for (const lane of this.#waiting) {
      lane.expire(now);
      if (!lane.isEmpty && lane.retryAt > now) continue;
      this.#waiting.delete(lane);
      this.add(lane);
    }
    if (this.#waiting.size > 0 || this.#parked.size > 0) this.#tickLater();
  }
}
