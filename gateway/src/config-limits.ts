/** The limits per connection: defaults, and how they follow from what was asked for. */
import { type ConfigValues, FRAME_OVERHEAD_BYTES, MAX_FRAME_BYTES, MAX_TIMER_MS } from './config-schema.js';

/**
 * Limits per connection. One that is off is `Infinity` (rates, counts) or as high as the transports
 * go (`frameBytes` and `messageBytes` 64 MiB, `bufferedBytes` 1 GiB, `lagMs` 24 days), never 0.
 */
export interface Limits {
  readonly commandsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly publishesPerSecond: number;
  /** Channels a connection may be on. */
  readonly subscriptions: number;
  /** Largest frame a client may send: `maxFrame`. */
  readonly frameBytes: number;
  /** Largest payload where a namespace says nothing else. */
  readonly messageBytes: number;
  /** Most unsent bytes of a connection in the gateway. */
  readonly bufferedBytes: number;
  /** How long a connection may stay behind. */
  readonly lagMs: number;
}

type Asked = ConfigValues['limits'];

const MAX_BUFFERED_BYTES = 2 ** 30;

/** `messageBytes`: 64 KiB, or less where frames or buffers were asked to be smaller. */
export function resolveMessageBytes(asked: Asked): number {
  return or(asked.messageBytes, Math.min(65_536, roomIn(ceiling(asked))), MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES);
}

/** @param largestMessageBytes of any namespace */
export function resolveLimits(
  asked: Asked,
  development: boolean,
  messageBytes: number,
  largestMessageBytes: number,
): Limits {
  const frameDefault = Math.min(largestMessageBytes + FRAME_OVERHEAD_BYTES, ceiling(asked));
  const frameBytes = or(asked.frameBytes, frameDefault, MAX_FRAME_BYTES);
  const rate = (value: number | undefined, production: number) => or(value, development ? 0 : production, Infinity);
  return {
    commandsPerSecond: rate(asked.commandsPerSecond, 200),
    bytesPerSecond: rate(asked.bytesPerSecond, 512 * 1024),
    publishesPerSecond: rate(asked.publishesPerSecond, 50),
    subscriptions: or(asked.subscriptions, 1000, Infinity),
    frameBytes,
    messageBytes,
    bufferedBytes: or(asked.bufferedBytes, Math.max(1024 * 1024, frameBytes), MAX_BUFFERED_BYTES),
    lagMs: or(asked.lagMs, 60_000, MAX_TIMER_MS),
  };
}

/** What was asked for and contradicts itself: defaults follow, so they never do. */
export function checkLimits(asked: Asked, limits: Limits, largestMessageBytes: number): [path: string, why: string][] {
  const problems: [string, string][] = [];
  if (largestMessageBytes > roomIn(limits.frameBytes)) {
    // A frame limit that was not asked for is this small only because of the buffers.
    problems.push([
      asked.frameBytes === undefined ? 'limits.bufferedBytes' : 'limits.frameBytes',
      `the largest message allowed needs ${largestMessageBytes + FRAME_OVERHEAD_BYTES} bytes (maxMessageBytes + ${FRAME_OVERHEAD_BYTES})`,
    ]);
  }
  if (limits.bufferedBytes < limits.frameBytes)
    problems.push(['limits.bufferedBytes', 'must not be less than limits.frameBytes']);
  return problems;
}

/** No frame may be larger than what was asked for. */
function ceiling({ frameBytes, bufferedBytes }: Asked): number {
  return Math.min(or(frameBytes, 0, MAX_FRAME_BYTES), or(bufferedBytes, 0, MAX_BUFFERED_BYTES));
}

/** The largest message for frames of this size: beside it stand channel, key and tags; in small frames, short ones. */
function roomIn(frameBytes: number): number {
  return Math.max(frameBytes - FRAME_OVERHEAD_BYTES, Math.floor(frameBytes / 2), 1);
}

/** The value, or the default; 0 turns a limit off. */
function or(value: number | undefined, byDefault: number, off: number): number {
  const limit = value ?? byDefault;
  return limit === 0 ? off : limit;
}
