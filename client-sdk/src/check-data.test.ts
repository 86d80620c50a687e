import { describe, expect, it } from 'vitest';
import { checkData } from './check-data.js';

const circle: unknown[] = [];
circle.push(circle);

describe('what is published', () => {
  it.each<[name: string, data: unknown, message: string]>([
    ['undefined', undefined, 'data: Undefined is no data'],
    ['NaN', { scores: [1, Number.NaN] }, 'data.scores[1]: NaN is no data'],
    ['an infinity', [-1 / 0], 'data[0]: -Infinity is no data'],
    ['a date that is none', { events: [{ at: new Date('soon') }] }, 'data.events[0].at: Invalid Date is no data'],
    ['what toJSON makes no data of', { age: { toJSON: () => Number.NaN } }, 'data.age: NaN is no data'],
    ['a Map', { users: new Map([['a', 1]]) }, 'data.users: Map is no data'],
    ['a Set', new Set([1]), 'data: Set is no data'],
    ['a DataView', new DataView(new ArrayBuffer(2)), 'data: DataView is no data'],
    ['another typed array', [new Float32Array(2)], 'data[0]: Float32Array is no data'],
    ['an Error', { error: new TypeError('no') }, 'data.error: Error is no data'],
    ['clamped bytes', [new Uint8ClampedArray(2)], 'data[0]: Uint8ClampedArray is no data'],
    ['a hole', [1, undefined], 'data[1]: Undefined is no data'],
    ['a bigint', { n: 1n }, 'data.n: BigInt is no data'],
    ['a function', () => {}, 'data: Function is no data'],
  ])('is not %s', (_, data, message) => {
    expect(() => checkData(data)).toThrow(expect.objectContaining({ code: 'bad_request', message }));
  });

  it.each<[name: string, data: unknown]>([
    ['null', null],
    ['nested values', { a: [1, 'x', true, null, { b: -0.5 }] }],
    ['bytes', [new Uint8Array(2), new ArrayBuffer(2), Buffer.from('x')]],
    ['a date', { at: new Date(0) }],
    ['what has toJSON', { url: new URL('http://a.example/'), own: { at: new Map(), toJSON: () => ({ a: 1 }) } }],
    ['a toJSON that is none', { toJSON: 'text' }],
    ['members that JSON leaves out', { a: 1, b: undefined, c() {} }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['a circle, of which the encoder tells', circle],
  ])('is %s', (_, data) => {
    expect(() => checkData(data)).not.toThrow();
  });
});
