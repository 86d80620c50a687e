/**
 * What a message costs to encode and to put into an array, and what it takes on the wire.
 * Needs `npm run build`. Run it with: node protocol/bench/encode.mjs
 */
import { compactRawDialect, jsonRawDialect, msgpackRawDialect } from '@fanfare/protocol/raw';

const CHANNEL = 'chat:room-42';
const TIME = 1_763_800_000_000;
const DIALECTS = [jsonRawDialect, compactRawDialect, msgpackRawDialect];
const ROUND_MS = 150;
const ROUNDS = 5;

/** Nanoseconds of one call: the median of some rounds. */
function nanosecondsOf(call) {
  const rounds = Array.from({ length: ROUNDS + 1 }, () => {
    const begin = performance.now();
    let calls = 0;
    while (performance.now() - begin < ROUND_MS) for (let i = 0; i < 200; i++, calls++) call();
    return ((performance.now() - begin) / calls) * 1e6;
  });
  // The first one warms up.
  return Math.round(rounds.slice(1).sort((a, b) => a - b)[ROUNDS >> 1]);
}

/** A payload of `size` bytes of JSON text, and the same in MessagePack. */
function payloads(size) {
  const text = JSON.stringify('x'.repeat(size - 2));
  const wire = msgpackRawDialect.encode({ type: 'publish', id: 1, channel: 'a', data: JSON.parse(text) });
  return [{ format: 'json', bytes: Buffer.from(text) }, msgpackRawDialect.decodeRaw(wire).payload];
}

let offset = 123_456;
const costs = [];
for (const size of [64, 512]) {
  for (const payload of payloads(size)) {
    for (const dialect of DIALECTS) {
      const message = () =>
        dialect.encodeRaw({ type: 'message', channel: CHANNEL, offset: offset++, data: payload, time: TIME });
      const frames = Array.from({ length: 32 }, message);
      costs.push({
        payload: `${size} B of ${payload.format}`,
        dialect: dialect.name,
        bytes: frames[0].length,
        'encode, ns': nanosecondsOf(message),
        'join 32, ns a frame': Math.round(nanosecondsOf(() => dialect.join(frames)) / 32),
        'bytes a frame of 32': Math.round(dialect.join(frames).length / 32),
      });
    }
  }
}
console.table(costs);

/** Shapes that the compact dialect could have; text, for they differ in what they leave out. */
const SHAPES = {
  'short keys': (data) => `{"t":"m","c":"${CHANNEL}","o":${offset},"d":${data},"s":${TIME}}`,
  'by place, as it is': (data) => `["${CHANNEL}",${offset},${TIME},${data}]`,
  'by place, the channel a number': (data) => `[17,${offset},${TIME},${data}]`,
};
const sizes = {};
for (const [name, shape] of Object.entries(SHAPES)) {
  sizes[name] = {};
  for (const size of [64, 512]) sizes[name][`${size} B`] = shape(JSON.stringify('x'.repeat(size - 2))).length;
}
/** Type, channel and first offset once, then items of data and time. */
for (const count of [1, 8, 32]) {
  const name = `one envelope for ${count}`;
  sizes[name] = {};
  for (const size of [64, 512]) {
    const item = `[${JSON.stringify('x'.repeat(size - 2))},${TIME}]`;
    const text = `{"type":"messages","channel":"${CHANNEL}","offset":${offset},"items":[${Array(count).fill(item)}]}`;
    sizes[name][`${size} B`] = Math.round(text.length / count);
  }
}
console.table(sizes);
