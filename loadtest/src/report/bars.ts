/** What Fanfare has to reach, compared with the baseline in the same run (docs/BENCHMARKS.md). */
export interface Bar {
  /** The bar as it is printed. */
  readonly text: string;
  /**
   * Whether the bar is met. `ratio` is Fanfare's value divided by the baseline's; `difference` is Fanfare's minus the
   * baseline's.
   */
  isMet(ratio: number, difference: number): boolean;
}

const atLeast = (share: number): Bar => ({
  text: `>= ${Math.round(share * 1000) / 10} %`,
  isMet: (ratio) => ratio >= share,
});

/** Bar for deliveries per second on a durable channel. Bursts below 32 have a bar of the same height. */
export const DURABLE_FANOUT = atLeast(0.85);
/** Bar for messages of 64 B and 512 B that are published one by one, by how many are in flight. */
export const IN_FLIGHT = (inFlight: number, size: number): Bar =>
  atLeast(size > 64 ? 0.85 : inFlight >= 512 ? 1.8 : inFlight >= 128 ? 1.4 : 0.95);
/** Bar for the last rate of messages of 64 B that is sustained with Redis in the path. */
export const OPEN_LOOP = atLeast(1.5);
export const LIVE_FANOUT = atLeast(0.92);
/** Bar for live channels at bursts below 32. */
export const SMALL_BURSTS = atLeast(0.85);
/** Bar for 10,000 connections over 1,000 channels, with messages published one by one. */
export const MANY_CHANNELS = atLeast(0.75);
/** Bar for 10,000 connections over 1,000 channels, with messages published one by one through another gateway. */
export const MANY_CHANNELS_APART = atLeast(0.85);
/** Bar for single publishes, compared with Redis' own pipelined PUBLISH. */
export const SINGLE_PUBLISH = atLeast(0.045);
/** Bar for publishes in batches, compared with the rate of a minimal script. */
export const BATCH_PUBLISH = atLeast(0.5);

const atLeastTimes = (times: number): Bar => ({ text: `>= ${times} x`, isMet: (ratio) => ratio >= times });

/**
 * Bar for messages of 64 B to 1,000 subscribers that are published one by one, by another server and how many are in
 * flight.
 */
export function compareBar(server: string, inFlight: number): Bar | undefined {
  if (server === 'nats-server') return atLeastTimes(inFlight >= 128 ? 2 : 1);
  if (server === 'Socket.IO' && inFlight >= 32) return atLeastTimes(inFlight >= 512 ? 60 : 20);
  return undefined;
}

export const LATENCY: Bar = { text: '<= 1.4 x', isMet: (ratio) => ratio <= 1.4 };

const MEMORY_ALLOWANCE_BYTES = 1536;
export const MEMORY: Bar = {
  text: '<= B + 1.5 KB',
  isMet: (_ratio, difference) => difference <= MEMORY_ALLOWANCE_BYTES,
};

/** Each burst from 32 up has to reach this share of the best among the smaller ones of them. */
export const NO_CLIFF_SHARE = 0.8;

/**
 * Returns the least share that a figure has of the best one up to it, itself included. It is 1 where no figure is worse
 * than one before it.
 */
export function worstStep(figures: readonly number[]): number {
  return Math.min(...figures.map((figure, index) => figure / Math.max(...figures.slice(0, index + 1))));
}
