import type { Frame, MessageFrame } from '../frames.js';
import type { Dialect } from './dialect.js';
import { MalformedFrameError } from './dialect.js';
import {
  asObject,
  asText,
  isObject,
  JSON_SUBPROTOCOL,
  jsonDialect,
  parseJson,
  reviveFrames,
  stringify,
} from './json.js';

export const COMPACT_SUBPROTOCOL = 'fanfare.compact.v1';

/**
 * JSON in which the fields of messages, which are the most frequent frames, go by place:
 * `[channel, offset, time, data]`, followed by an object with the other fields if there are any. All other frames are
 * those of `fanfare.json.v1`. The messages of that dialect are read too, so that a client can offer both.
 */
export const compactDialect: Dialect = {
  name: 'compact',
  subprotocol: COMPACT_SUBPROTOCOL,
  reads: [JSON_SUBPROTOCOL],
  binary: false,
  encode(frame) {
    if (Array.isArray(frame)) return stringify(frame.map(byPlace));
    return isMessage(frame as Frame) ? stringify(byPlace(frame as Frame)) : jsonDialect.encode(frame);
  },
  decode(wire) {
    const text = asText(wire);
    const frame = byName(parseJson(text));
    reviveFrames([frame], text);
    return frame;
  },
  decodeAll(wire) {
    const text = asText(wire);
    const value = parseJson(text);
    const frames = Array.isArray(value) && typeof value[0] !== 'string' ? value : [value];
    if (frames.length === 0) throw new MalformedFrameError('an empty list');
    return reviveFrames(frames.map(byName), text);
  },
};

function isMessage(frame: Frame): frame is MessageFrame {
  return frame.type === 'message';
}

/** A message by place. On a live channel the place of the offset holds 0, which is before the first message. */
function byPlace(frame: Frame): unknown {
  if (!isMessage(frame)) return frame;
  const { type, channel, offset = 0, time, data, ...others } = frame;
  const places = [channel, offset, time, data];
  return Object.keys(others).length > 0 ? [...places, others] : places;
}

/**
 * The frame as an object. What distinguishes a message from an array of frames is checked here. The values of its
 * fields are checked where those of all frames are.
 */
function byName(value: unknown): Record<string, unknown> {
  if (!Array.isArray(value)) return asObject(value);
  const [channel, offset, time, data, others = {}] = value;
  if (typeof channel !== 'string' || value.length < 4 || value.length > 5 || !isObject(others))
    throw new MalformedFrameError('not a message');
  return { ...others, type: 'message', channel, ...(offset !== 0 && { offset }), time, data };
}
