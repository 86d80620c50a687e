/**
 * W3C Trace Context: a message carries the `traceparent` of who published it as a tag of that name, to every subscriber. A
 * client sets the tag itself; a request over HTTP brings it as a header, for all of its messages that have no such tag.
 */
import type { NewMessage } from './broker/record.js';

/**
 * The form of a `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header). Of later versions it is the
 * part that this one knows.
 */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?=$|-)/;

interface Traceparent {
  /** The text that goes on with the message. */
  readonly text: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

/** Reads a header or a tag; `undefined` if it is absent or not valid, which is the same. */
export function parseTraceparent(given: string): Traceparent | undefined {
  const [text, traceId, spanId, flags] = TRACEPARENT.exec(given) ?? [];
  if (text === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { text, traceId, spanId, flags: Number.parseInt(flags, 16) };
}

/** Adds the tag to a message, unless it has one of its own. */
export function withTraceparent(message: NewMessage, traceparent: string): NewMessage {
  const { tags } = message;
  return tags?.traceparent === undefined ? { ...message, tags: { ...tags, traceparent } } : message;
}
