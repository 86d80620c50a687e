import type { RawMessageFrame } from '../raw-frames.js';
import { type ByteWriter, buildBytes } from './byte-writer.js';
import { compactDialect } from './compact.js';
import type { JoiningDialect } from './dialect.js';
import { jsonRawDialect } from './json-raw.js';
import { transcode } from './transcode.js';

/** The gateway's side of the compact dialect. What clients send is as in JSON, and so are arrays of frames. */
export const compactRawDialect: JoiningDialect = {
  ...jsonRawDialect,
  ...compactDialect,
  encodeRaw(frame) {
    if (frame.type !== 'message') return jsonRawDialect.encodeRaw(frame);
    return buildBytes((writer) => writeMessage(writer, frame));
  },
};

const PLACES = new Set(['type', 'channel', 'offset', 'time', 'data']);

function writeMessage(writer: ByteWriter, frame: RawMessageFrame): void {
  const { channel, offset = 0, time, data } = frame;
  writer.text(`[${JSON.stringify(channel)},${offset},${time},`);
  writer.bytes(transcode(data, 'json').bytes);
  let others = '';
  for (const name in frame) {
    const value = frame[name as keyof RawMessageFrame];
    if (value === undefined || PLACES.has(name)) continue;
    others += `${others ? ',' : ',{'}"${name}":${JSON.stringify(value)}`;
  }
  writer.text(others ? `${others}}]` : ']');
}
