/** What cases share: channels of their own, vectors, steps that many of them take. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

export function readVectors(file) {
  return JSON.parse(readFileSync(new URL(`../vectors/${file}`, import.meta.url), 'utf8'));
}

/** Channels that no other case uses. */
export const durableChannel = (target) => `${target.durable ?? 'demo:'}suite-${randomBytes(6).toString('hex')}`;
export const liveChannel = (target) => `${target.live ?? 'live:'}suite-${randomBytes(6).toString('hex')}`;
export const unknownChannel = (target) => `${target.unknown ?? 'no-such-namespace:'}x`;

export const position = ({ epoch, offset }) => ({ epoch, offset });

/** Publishes `count` messages `{"n":1}`, `{"n":2}`, ... one after the other; the positions. */
export async function publishMany(client, channel, count, first = 1) {
  const positions = [];
  for (let n = first; n < first + count; n++) {
    positions.push(position(await client.ask({ type: 'publish', channel, data: { n } }, 'published')));
  }
  return positions;
}

/** The messages must have these `n`, and the offsets at which they were published, from `from` + 1 on. */
export function assertRun(messages, numbers, from) {
  assert.deepEqual(
    messages.map(({ data }) => data.n),
    numbers,
  );
  assert.deepEqual(
    messages.map(({ offset }) => offset),
    numbers.map((_, i) => from + 1 + i),
  );
}

export const numbers = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
