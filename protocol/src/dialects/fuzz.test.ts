import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../frames.js';
import { MAX_DEPTH } from '../payload.js';
import { parseClientFrame } from '../validate.js';
import { MalformedFrameError } from './dialect.js';
import { parsePublishBody, RAW_DIALECTS, transcode } from './raw.js';

/** What a gateway does with bytes from anywhere; whatever it throws but a MalformedFrameError fails. */
function survive(wire: Uint8Array): void {
  for (const dialect of Object.values(RAW_DIALECTS)) {
    attempt(() => {
      const { fields, payload } = dialect.decodeRaw(wire);
      parseClientFrame(fields, payload !== undefined);
      if (payload) {
        for (const other of Object.values(RAW_DIALECTS)) {
          const frame = other.encodeRaw({ type: 'message', channel: 'a', data: payload, time: 1 });
          expect(other.decode(frame)).toMatchObject({ type: 'message', channel: 'a', time: 1 });
        }
      }
    });
    attempt(() => dialect.decode(wire));
    attempt(() => expect(dialect.decodeAll(wire).length).toBeGreaterThan(0));
  }
  attempt(() => parsePublishBody(wire));
  attempt(() => transcode({ format: 'json', bytes: wire }, 'msgpack'));
  attempt(() => transcode({ format: 'msgpack', bytes: wire }, 'json'));
}

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof MalformedFrameError)) throw error;
  }
}

const frames = [
  { type: 'connect', id: 1, token: 'x.y.z', client: 'fuzz/1' },
  { type: 'subscribe', id: 2, channel: 'chat:é', since: { epoch: '1763800000000000', offset: 41 } },
  {
    type: 'publish',
    id: 3,
    channel: 'a',
    data: { n: [1, -1, 1.5, 2 ** 40], s: 'é"\\', f: new Uint8Array(40) },
    tags: { a: 'b' },
  },
  { type: 'publish', id: 4, channel: 'a', data: 'x'.repeat(300) },
] as Frame[];
const wires = Object.values(RAW_DIALECTS).flatMap((dialect) =>
  frames.map((frame) => {
    const wire = dialect.encode(frame);
    return typeof wire === 'string' ? new TextEncoder().encode(wire) : wire;
  }),
);

describe('bytes from anywhere', { timeout: 60_000 }, () => {
  it('random ones are refused or read, nothing else', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), survive), { numRuns: 1000 });
  });

  it('random text too', () => {
    const fragment = fc.oneof(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '"data"',
        '"messages"',
        '"$binary"',
        '\\u0024',
        '1e999',
        'null',
        ' ',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    const text = fc.array(fragment, { maxLength: 40 }).map((parts) => new TextEncoder().encode(parts.join('')));
    fc.assert(fc.property(text, survive), { numRuns: 1000 });
  });

  it('random JSON too', () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (one, two) => {
        survive(new TextEncoder().encode(`{"type":${one},"data":${two},"messages":[${one},{"data":${two}}]}`));
      }),
    );
  });

  it('every truncation of a frame', () => {
    for (const wire of wires) for (let end = 0; end < wire.length; end++) survive(wire.subarray(0, end));
  });

  it('every flipped bit of a frame', () => {
    for (const wire of wires) {
      for (let bit = 0; bit < Math.min(wire.length, 120) * 8; bit++) {
        const flipped = new Uint8Array(wire);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        survive(flipped);
      }
    }
  });

  it.each([MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, MAX_DEPTH + 4, 5000, 40_000])('nesting of %d', (depth) => {
    const text = (inner: string) => new TextEncoder().encode(inner);
    const open = '['.repeat(depth);
    const close = ']'.repeat(depth);
    survive(text(`${open}${close}`));
    survive(text(`{"data":${open}{"$binary":"aGk="}${close},"messages":[{"data":${open}${close}}]}`));
    survive(text(`{"tags":${open}${close},"id":1,"\\u0061":1}`));
    survive(text(`${'{"data":'.repeat(depth)}1${'}'.repeat(depth)}`));
    for (const tag of [[0x91], [0x81, 0xa1, 0x61], [0xdc, 0, 1], [0xdf, 0, 0, 0, 1, 0xa0]]) {
      const levels = new Uint8Array(depth * tag.length + 1).fill(0xc0);
      for (let i = 0; i < depth; i++) levels.set(tag, i * tag.length);
      survive(levels);
      survive(new Uint8Array([0x81, 0xa4, 0x64, 0x61, 0x74, 0x61, ...levels.subarray(0, 20_000)]));
    }
  });

  it('huge numbers', () => {
    for (const number of ['1e400', '-1e400', '9'.repeat(10_000), `0.${'1'.repeat(10_000)}`, '1e-99999']) {
      survive(new TextEncoder().encode(`{"type":"publish","id":${number},"data":${number}}`));
    }
  });
});
