/** Sizes that follow from each other: of frames, of messages, and of what may wait to be sent. */

/** Largest frame and message that can be configured, bytes, which the transports carry with room to spare. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/** Bytes that a frame needs besides its payload, for channel, key and tags. */
export const FRAME_OVERHEAD_BYTES = 8 * 1024;
export const MAX_BUFFERED_BYTES = 2 ** 30;

/** The sizes that were asked for in `limits`. 0 turns a limit off, so that it is as high as the transports go. */
interface AskedSizes {
  readonly frameBytes?: number | undefined;
  readonly messageBytes?: number | undefined;
  readonly bufferedBytes?: number | undefined;
}

export interface Sizes {
  /** Largest frame a client may send: `maxFrame`. */
  readonly frameBytes: number;
  /** Largest payload where a namespace says nothing else. */
  readonly messageBytes: number;
  /** Most unsent bytes of a connection in the gateway. */
  readonly bufferedBytes: number;
}

/** The value of `messageBytes`: 64 KiB, or less if frames or buffers were asked to be smaller. */
export function resolveMessageBytes(asked: AskedSizes): number {
  return or(asked.messageBytes, Math.min(65_536, roomIn(ceiling(asked))), MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES);
}

/** @param largestMessageBytes the largest message of any namespace */
export function resolveSizes(asked: AskedSizes, messageBytes: number, largestMessageBytes: number): Sizes {
  const frameDefault = Math.min(largestMessageBytes + FRAME_OVERHEAD_BYTES, ceiling(asked));
  const frameBytes = or(asked.frameBytes, frameDefault, MAX_FRAME_BYTES);
  const bufferedBytes = or(asked.bufferedBytes, Math.max(1024 * 1024, frameBytes), MAX_BUFFERED_BYTES);
  return { frameBytes, messageBytes, bufferedBytes };
}

/** Finds sizes that were asked for and contradict each other. Defaults follow from other sizes, so they never do. */
export function checkSizes(
  asked: AskedSizes,
  sizes: Sizes,
  largestMessageBytes: number,
): [path: string, why: string][] {
  const problems: [string, string][] = [];
  if (largestMessageBytes > roomIn(sizes.frameBytes)) {
    // A limit of frames that was not asked for is this small only because of the buffers.
    problems.push([
      asked.frameBytes === undefined ? 'limits.bufferedBytes' : 'limits.frameBytes',
      `the largest message allowed needs ${largestMessageBytes + FRAME_OVERHEAD_BYTES} bytes (maxMessageBytes + ${FRAME_OVERHEAD_BYTES})`,
    ]);
  }
  if (sizes.bufferedBytes < sizes.frameBytes)
    problems.push(['limits.bufferedBytes', 'must not be less than limits.frameBytes']);
  return problems;
}

/** The largest frame that what was asked for allows. */
function ceiling({ frameBytes, bufferedBytes }: AskedSizes): number {
  return Math.min(or(frameBytes, 0, MAX_FRAME_BYTES), or(bufferedBytes, 0, MAX_BUFFERED_BYTES));
}

/**
 * The largest message for frames of this size, which also hold channel, key and tags; in small frames these have to be
 * short.
 */
function roomIn(frameBytes: number): number {
  return Math.max(frameBytes - FRAME_OVERHEAD_BYTES, Math.floor(frameBytes / 2), 1);
}

/** The value, or the default; 0 turns a limit off. */
function or(value: number | undefined, byDefault: number, off: number): number {
  const limit = value ?? byDefault;
  return limit === 0 ? off : limit;
}
