import { expect, it } from 'vitest';
import { BodyRoom, IncomingBody } from './http-body.js';

const bytes = (text: string) => Buffer.from(text);

it('a body is its chunks, whatever becomes of the buffers that brought them', () => {
  const body = new IncomingBody(100, new BodyRoom(10_000));
  const lent = bytes('abc');
  expect(body.add(lent, false)).toBeUndefined();
  lent.fill('x');
  expect(body.add(bytes('def'), true)).toBeUndefined();
  expect(Buffer.from(body.bytes).toString()).toBe('abcdef');
});

it('a body may have as many bytes as it may, and not one more', () => {
  const room = new BodyRoom(10_000);
  const fits = new IncomingBody(6, room);
  expect([fits.add(bytes('abc'), false), fits.add(bytes('def'), true)]).toEqual([undefined, undefined]);
  const tooLarge = new IncomingBody(6, room);
  expect([tooLarge.add(bytes('abc'), false), tooLarge.add(bytes('defg'), true)]).toEqual([undefined, 'too_large']);
  expect(tooLarge.bytes).toHaveLength(0);
});

it('grows by what came: many small chunks take up no more than twice their bytes', () => {
  const room = new BodyRoom(16_384);
  const body = new IncomingBody(1_000_000, room);
  let text = '';
  for (let n = 0; n < 9_000; n++) {
    text += n % 10;
    expect(body.add(bytes(String(n % 10)), false)).toBeUndefined();
  }
  expect(Buffer.from(body.bytes).toString()).toBe(text);
});

it('all bodies share one room, which a refused one and one that is released give back', () => {
  const room = new BodyRoom(10);
  const first = new IncomingBody(100, room);
  const second = new IncomingBody(100, room);
  expect(first.add(bytes('1234567'), true)).toBeUndefined();
  expect(second.add(bytes('1234'), true)).toBe('no_room');
  expect(second.add(bytes('123'), true)).toBeUndefined();
  first.release();
  second.release();
  expect(new IncomingBody(100, room).add(bytes('1234567890'), true)).toBeUndefined();
});
