import { readFileSync } from 'node:fs';
import { Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { type JoiningDialect, MalformedFrameError } from './dialects/dialect.js';
import { RAW_DIALECTS } from './dialects/raw.js';
import type { Frame } from './frames.js';
import type { RawServerFrame } from './raw-frames.js';
import { CLIENT_FRAMES, parseClientFrame, parseServerFrame, SERVER_FRAMES } from './validate.js';

interface FrameVector {
  name: string;
  direction: 'client' | 'gateway';
  frame: Record<string, unknown>;
  json?: string;
  compact?: string;
  msgpack?: string;
  readOnly?: boolean;
  data?: { json?: string; msgpack?: string };
}

interface ArrayVector {
  name: string;
  frames: Record<string, unknown>[];
  json: string;
  compact?: string;
  msgpack: string;
  readOnly?: boolean;
}

interface RefusedVector {
  name: string;
  dialect: keyof typeof RAW_DIALECTS;
  text?: string;
  bytes?: string;
  json?: string;
  msgpack?: string;
  error: string;
  id?: number;
}

function load<T>(file: string): T[] {
  return JSON.parse(readFileSync(new URL(`../vectors/${file}`, import.meta.url), 'utf8')) as T[];
}

const vectors = [...load<FrameVector>('client-frames.json'), ...load<FrameVector>('gateway-frames.json')];
const { json, compact, msgpack } = RAW_DIALECTS;
const utf8 = (text: string) => new TextEncoder().encode(text);
const unhex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (bytes: Uint8Array | string) => Buffer.from(bytes as Uint8Array).toString('hex');
const jsonForm = (frame: unknown) => JSON.parse(json.encode(frame as Frame) as string) as unknown;

/** The vector in each dialect that it has; what the compact one does not spell in another way it has of JSON. */
function wiresOf(vector: { json?: string; compact?: string; msgpack?: string }): [JoiningDialect, Uint8Array][] {
  const wires: [JoiningDialect, Uint8Array][] = [];
  if (vector.json !== undefined) {
    wires.push([json, utf8(vector.json)]);
    wires.push([compact, utf8(vector.compact ?? vector.json)]);
  }
  if (vector.msgpack !== undefined) wires.push([msgpack, unhex(vector.msgpack)]);
  return wires;
}

describe('golden frames', () => {
  it('cover every frame type in both directions, each vector under its own name', () => {
    const types = (direction: string) => [
      ...new Set(vectors.filter((v) => v.direction === direction).map((v) => v.frame.type)),
    ];
    expect(types('client').sort()).toEqual(Object.keys(CLIENT_FRAMES).sort());
    expect(types('gateway').sort()).toEqual(Object.keys(SERVER_FRAMES).sort());
    const names = vectors.map((v) => `${v.direction} ${v.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it('show every field that a frame can have', () => {
    for (const [direction, tables] of [
      ['client', CLIENT_FRAMES],
      ['gateway', SERVER_FRAMES],
    ] as const) {
      for (const [type, shape] of Object.entries(tables)) {
        const shown = vectors.filter((v) => v.direction === direction && v.frame.type === type && !v.readOnly);
        const fields = new Set(shown.flatMap((v) => Object.keys(v.frame)));
        const data = type === 'publish' ? ['data'] : [];
        const known = ['type', ...data, ...Object.keys(shape.required), ...Object.keys(shape.optional)];
        expect([...fields].sort(), `${direction} ${type}`).toEqual(known.sort());
      }
    }
  });

  it.each(vectors.map((v) => [v.direction, v.name, v] as const))('%s: %s', (direction, _, vector) => {
    for (const [dialect, wire] of wiresOf(vector)) {
      const frame = dialect.decode(wire);
      expect(jsonForm(frame)).toEqual(vector.frame);
      if (!vector.readOnly) expect(hex(dialect.encode(frame as unknown as Frame))).toBe(hex(wire));
      if (direction === 'gateway') {
        expect(parseServerFrame(frame)).toEqual({ ok: true, frame });
        if (frame.type === 'message' || frame.type === 'history') expectSplicing(dialect, frame, wire);
        continue;
      }
      const { fields, payload } = dialect.decodeRaw(wire);
      expect(parseClientFrame(fields, payload !== undefined)).toEqual({ ok: true, frame: fields });
      const { data, ...others } = vector.frame;
      expect(jsonForm(fields)).toEqual(others);
      expect(payload !== undefined).toBe(data !== undefined);
      const verbatim = vector.data?.[dialect.binary ? 'msgpack' : 'json'];
      if (verbatim) expect(hex(payload?.bytes as Uint8Array)).toBe(dialect.binary ? verbatim : hex(utf8(verbatim)));
    }
  });

  it('are read in the compact dialect as in JSON, so that a client can offer both', () => {
    for (const { json: text, frame } of vectors) {
      if (text !== undefined) expect(jsonForm(compact.decode(utf8(text)))).toEqual(frame);
    }
  });

  it('are read alike by another implementation of MessagePack', () => {
    const other = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
    for (const { msgpack: bytes, frame, name } of vectors) {
      // That one renames __proto__.
      if (bytes !== undefined && !name.includes('__proto__'))
        expect(jsonForm(other.unpack(unhex(bytes)))).toEqual(frame);
    }
  });
});

describe('golden arrays of frames', () => {
  const arrays = load<ArrayVector>('arrays.json');

  it.each(arrays.map((v) => [v.name, v] as const))('%s', (_, vector) => {
    for (const [dialect, wire] of wiresOf(vector)) {
      const frames = dialect.decodeAll(wire) as unknown as Frame[];
      expect(frames.map(jsonForm)).toEqual(vector.frames);
      // No client sends one.
      expect(() => dialect.decode(wire)).toThrow(MalformedFrameError);
      expect(() => dialect.decodeRaw(wire)).toThrow(MalformedFrameError);
      if (vector.readOnly) continue;
      expect(hex(dialect.encode(frames))).toBe(hex(wire));
      const joined = dialect.join(frames.map((frame) => dialect.encode(frame)));
      expect(hex(joined)).toBe(hex(wire));
    }
  });

  it('hold one frame and more: one alone is no array', () => {
    for (const vector of vectors) {
      for (const [dialect, wire] of wiresOf(vector)) {
        expect(dialect.decodeAll(wire)).toEqual([dialect.decode(wire)]);
        expect(dialect.join([wire])).toBe(wire);
      }
    }
  });

  it('are read alike by another implementation of MessagePack, however many they hold', () => {
    const other = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });
    const ping: Frame = { type: 'ping' };
    for (const count of [2, 15, 16, 65_535, 65_536]) {
      const frames = Array<Frame>(count).fill(ping);
      const joined = msgpack.join(frames.map((frame) => msgpack.encode(frame))) as Uint8Array;
      expect(Buffer.compare(joined, msgpack.encode(frames) as Uint8Array)).toBe(0);
      // Element by element, without a diff of 65,536 of them.
      for (const read of [other.unpack(joined) as Frame[], msgpack.decodeAll(joined)]) {
        expect(read.length).toBe(count);
        expect(read.every(({ type }) => type === 'ping')).toBe(true);
      }
    }
  });
});

describe('what must be refused', () => {
  it.each(load<RefusedVector>('malformed-arrays.json').map((v) => [v.dialect, v.name, v] as const))(
    'malformed %s array: %s',
    (name, _, { text, bytes }) => {
      const wire = text === undefined ? unhex(bytes as string) : utf8(text);
      expect(() => RAW_DIALECTS[name].decodeAll(wire)).toThrow(MalformedFrameError);
    },
  );

  it.each(load<RefusedVector>('malformed.json').map((v) => [v.dialect, v.name, v] as const))(
    'malformed %s: %s',
    (name, _, { text, bytes, error, id }) => {
      const wire = text === undefined ? unhex(bytes as string) : utf8(text);
      const decode = () => RAW_DIALECTS[name].decodeRaw(wire);
      expect(decode).toThrow(MalformedFrameError);
      expect(decode).toThrow(expect.objectContaining({ code: error, id }));
    },
  );

  it.each(load<RefusedVector>('invalid.json').map((v) => [v.name, v] as const))('invalid: %s', (_, vector) => {
    const wires = wiresOf(vector);
    expect(wires.length).toBe(3);
    for (const [dialect, wire] of wires) {
      const { fields, payload } = dialect.decodeRaw(wire);
      const parsed = parseClientFrame(fields, payload !== undefined);
      expect(parsed.ok ? parsed : parsed.id).toBe(vector.id);
    }
  });
});

/** What the gateway splices from raw payloads, of either format, is what the plain encoder writes. */
function expectSplicing(dialect: JoiningDialect, frame: Record<string, unknown>, wire: Uint8Array): void {
  for (const source of [json, msgpack]) {
    const raw = (message: Record<string, unknown>) => ({ ...message, data: payloadOf(source, message.data) });
    const { messages } = frame as { messages?: Record<string, unknown>[] };
    const rawFrame = messages ? { ...frame, messages: messages.map(raw) } : raw(frame);
    expect(hex(dialect.encodeRaw(rawFrame as unknown as RawServerFrame))).toBe(hex(wire));
  }
}

function payloadOf(dialect: JoiningDialect, data: unknown) {
  const wire = dialect.encode({ type: 'publish', id: 1, channel: 'a', data });
  return dialect.decodeRaw(typeof wire === 'string' ? utf8(wire) : wire).payload;
}
