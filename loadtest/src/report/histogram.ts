import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, JsHistogram } from 'hdr-histogram-js';

export type Histogram = JsHistogram;

/** Longest duration, us: one hour. Longer ones count as that. */
const HIGHEST_US = 3_600_000_000;
const RANGE = {
  lowestDiscernibleValue: 1,
  highestTrackableValue: HIGHEST_US,
  numberOfSignificantValueDigits: 3,
} as const;
/** Durations below this are first counted by the microsecond, which costs next to nothing, us. */
const COUNTED_US = 100_000;

/**
 * Makes a histogram of durations of 1 us to 1 h, exact to three digits. Histograms are merged by adding their counts,
 * never by averaging percentiles.
 */
export function createHistogram(): Histogram {
  return checked(build({ ...RANGE, bitBucketSize: 64 }));
}

/** Decodes what {@link DurationRecorder.take} returned. */
export function decodeHistogram(text: string): Histogram {
  return checked(decodeFromCompressedBase64(text, 64));
}

/** The counts by upper bound, ms. Each bound is a fifth above the one before. */
export function countsOf(histogram: Histogram): (readonly [upToMs: number, count: number])[] {
  const counts: [number, number][] = [];
  if (histogram.totalCount === 0) return counts;
  const values = histogram.recordedValuesIterator;
  values.reset();
  while (values.hasNext()) {
    const { valueIteratedTo, countAtValueIteratedTo } = values.next();
    while (counts.length === 0 || valueIteratedTo > (counts.at(-1) as [number, number])[0] * 1000) {
      const last = counts.at(-1)?.[0];
      counts.push([
        last === undefined ? FIRST_BOUND_MS * STEP ** Math.max(0, stepsTo(valueIteratedTo)) : last * STEP,
        0,
      ]);
    }
    (counts.at(-1) as [number, number])[1] += countAtValueIteratedTo;
  }
  return counts;
}

const FIRST_BOUND_MS = 0.05;
const STEP = 1.2;

function stepsTo(us: number): number {
  return Math.ceil(Math.log(us / 1000 / FIRST_BOUND_MS) / Math.log(STEP));
}

function checked(histogram: unknown): Histogram {
  if (!(histogram instanceof JsHistogram)) throw new Error('hdr-histogram-js gave another kind of histogram');
  return histogram;
}

/** Counts durations, and gives away what it has counted. */
export class DurationRecorder {
  readonly #counts = new Uint32Array(COUNTED_US);
  readonly #histogram = build({ ...RANGE, bitBucketSize: 32 });
  #has = false;

  record(us: number): void {
    this.#has = true;
    const whole = us < 1 ? 1 : us | 0;
    if (us < COUNTED_US) this.#counts[whole] = (this.#counts[whole] as number) + 1;
    else this.#histogram.recordValue(Math.min(Math.round(us), HIGHEST_US));
  }

  /** Everything since the last call, encoded; `undefined` if there was nothing. */
  take(): string | undefined {
    if (!this.#has) return undefined;
    for (const [us, count] of this.#counts.entries()) {
      if (count > 0) this.#histogram.recordValueWithCount(us, count);
    }
    const text = encodeIntoCompressedBase64(this.#histogram);
    this.#counts.fill(0);
    this.#histogram.reset();
    this.#has = false;
    return text;
  }
}
