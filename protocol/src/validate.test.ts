import { describe, expect, it } from 'vitest';
import { isKey, isPosition, isTags, parseClientFrame, parseServerFrame } from './validate.js';

const position = { epoch: '17', offset: 0 };
const accepts = (fields: Record<string, unknown>) => parseClientFrame(fields, fields.type === 'publish').ok;

describe('frames of clients', () => {
  it.each([
    { type: 'connect', id: 1 },
    { type: 'connect', id: Number.MAX_SAFE_INTEGER, token: '', client: 'x/1' },
    { type: 'subscribe', id: 2, channel: 'chat:1' },
    { type: 'subscribe', id: 2, channel: 'chat:1', since: position, token: 'x', presence: false },
    { type: 'subscribe', id: 2, channel: 'chat:1', rewind: 0 },
    { type: 'subscribe', id: 2, channel: 'chat:1', rewindMs: 0.5 },
    { type: 'unsubscribe', id: 3, channel: 'é' },
    { type: 'publish', id: 4, channel: 'a', key: 'k', tags: { a: 'b' }, durability: 'replicated' },
    { type: 'publish', id: 4, channel: 'a', durability: 'replicated', replicas: 'all' },
    { type: 'publish', id: 4, channel: 'a', durability: 'replicated', replicas: 1 },
    { type: 'history', id: 5, channel: 'a', limit: 1000 },
    { type: 'history', id: 5, channel: 'a', before: position, limit: 1 },
    { type: 'presence', id: 6, channel: 'a' },
    { type: 'refresh', id: 7, token: 'x' },
    { type: 'pong' },
    { type: 'pong', id: 'ignored', unknown: { deep: true } },
  ])('accepts %j', (fields) => {
    expect(parseClientFrame(fields, fields.type === 'publish')).toEqual({ ok: true, frame: fields });
  });

  it.each([
    {},
    { type: 1 },
    { type: 'toString', id: 1 },
    { type: '__proto__', id: 1 },
    { type: 'message', channel: 'a', data: 1, time: 1 },
    { type: 'connect' },
    { type: 'connect', id: 0 },
    { type: 'connect', id: -1 },
    { type: 'connect', id: 1.5 },
    { type: 'connect', id: '1' },
    { type: 'connect', id: 2 ** 53 },
    { type: 'connect', id: 1, token: null },
    { type: 'connect', id: 1, client: 5 },
    { type: 'subscribe', id: 1 },
    { type: 'subscribe', id: 1, channel: '' },
    { type: 'subscribe', id: 1, channel: 'a b' },
    { type: 'subscribe', id: 1, channel: 'x'.repeat(256) },
    { type: 'subscribe', id: 1, channel: 'a', since: '17-1' },
    { type: 'subscribe', id: 1, channel: 'a', since: null },
    { type: 'subscribe', id: 1, channel: 'a', since: { epoch: 17, offset: 1 } },
    { type: 'subscribe', id: 1, channel: 'a', since: { epoch: '', offset: 1 } },
    { type: 'subscribe', id: 1, channel: 'a', since: { epoch: '1'.repeat(65), offset: 1 } },
    { type: 'subscribe', id: 1, channel: 'a', since: { epoch: '17', offset: -1 } },
    { type: 'subscribe', id: 1, channel: 'a', rewind: 1.5 },
    { type: 'subscribe', id: 1, channel: 'a', rewindMs: Number.POSITIVE_INFINITY },
    { type: 'subscribe', id: 1, channel: 'a', rewindMs: Number.NaN },
    { type: 'subscribe', id: 1, channel: 'a', rewind: 1, rewindMs: 1 },
    { type: 'subscribe', id: 1, channel: 'a', since: position, rewind: 0 },
    { type: 'subscribe', id: 1, channel: 'a', presence: 1 },
    { type: 'publish', id: 1, channel: 'a', key: '' },
    { type: 'publish', id: 1, channel: 'a', tags: [] },
    { type: 'publish', id: 1, channel: 'a', durability: 'memory' },
    ...[0, -1, 1.5, '1', 'some', null].map((replicas) => ({
      type: 'publish',
      id: 1,
      channel: 'a',
      durability: 'replicated',
      replicas,
    })),
    { type: 'publish', id: 1, channel: 'a', replicas: 1 },
    { type: 'publish', id: 1, channel: 'a', durability: 'stored', replicas: 'all' },
    { type: 'history', id: 1, channel: 'a', limit: 0 },
    { type: 'history', id: 1, channel: 'a', limit: 1001 },
    { type: 'history', id: 1, channel: 'a', after: position, before: position },
    { type: 'presence', id: 1 },
    { type: 'refresh', id: 1 },
  ])('refuses %j', (fields) => {
    expect(accepts(fields)).toBe(false);
  });

  it('refuses a publish that came without data', () => {
    const fields = { type: 'publish', id: 4, channel: 'a' };
    expect(parseClientFrame(fields, true)).toEqual({ ok: true, frame: fields });
    expect(parseClientFrame(fields, false)).toEqual({ ok: false, id: 4, message: 'data is missing' });
  });

  it('says what is wrong, and which request it was', () => {
    expect(parseClientFrame({ type: 'subscribe', id: 2 }, false)).toEqual({
      ok: false,
      id: 2,
      message: 'channel must be a channel name',
    });
    expect(parseClientFrame({ type: 'wave', id: 3 }, false)).toEqual({ ok: false, id: 3, message: 'unknown type' });
    expect(parseClientFrame({ type: 'connect', id: 'x' }, false)).toEqual({
      ok: false,
      message: 'id must be a positive integer',
    });
    expect(
      parseClientFrame({ type: 'subscribe', id: 2, channel: 'a', rewind: 1, since: position }, false),
    ).toMatchObject({
      message: 'at most one of since, rewind, rewindMs',
    });
  });
});

describe('frames of gateways', () => {
  it.each([
    { type: 'connected', id: 1, session: 's', node: 'n', ping: 25000, maxFrame: 73728, idempotencyMs: 300000 },
    { type: 'subscribed', id: 2, channel: 'a', durable: false },
    { type: 'subscribed', id: 2, channel: 'a', durable: true, ...position, recovered: false, reason: 'later reason' },
    { type: 'unsubscribed', channel: 'a', code: 'token_expired', message: 'm' },
    { type: 'message', channel: 'a', data: null, time: 1 },
    { type: 'message', channel: 'a', data: 1, time: 1, offset: 4, user: 'u', key: 'k', tags: {} },
    {
      type: 'history',
      id: 1,
      channel: 'a',
      messages: [{ ...position, data: 1, time: 1 }],
      more: false,
      head: position,
    },
    { type: 'lagged', channels: [] },
    { type: 'ping' },
    { type: 'error', code: 'a_later_code', message: '', retryable: false },
  ])('accepts %j', (fields) => {
    expect(parseServerFrame(fields)).toEqual({ ok: true, frame: fields });
  });

  it.each([
    {},
    { type: 'message', channel: 'a', time: 1 },
    { type: 'message', channel: 'a', data: 1 },
    { type: 'message', channel: 'a', data: 1, time: 1, offset: '4' },
    { type: 'epoch', channel: 'a', epoch: '17' },
    { type: 'reset', channel: 'a', ...position },
    { type: 'lagged', channels: 'a' },
    { type: 'lagged', channels: [''] },
    { type: 'history', id: 1, channel: 'a', messages: [{ data: 1, time: 1 }], more: false, head: position },
    { type: 'history', id: 1, channel: 'a', messages: [], more: false },
    { type: 'error', code: 'internal', message: 'm' },
  ])('refuses %j', (fields) => {
    expect(parseServerFrame(fields)).toMatchObject({ ok: false });
  });

  it('ignores unknown types', () => {
    expect(parseServerFrame({ type: 'somethingNewer' })).toBeUndefined();
    expect(parseServerFrame({ type: 'toString' })).toBeUndefined();
  });
});

describe('small rules', () => {
  it('counts keys in bytes of UTF-8', () => {
    expect([isKey('x'.repeat(128)), isKey('é'.repeat(64)), isKey('\u{1f600}'.repeat(32))]).toEqual([true, true, true]);
    expect([isKey('x'.repeat(129)), isKey('é'.repeat(65)), isKey('\ud800'), isKey('\udc00a'), isKey(5)]).toEqual(
      new Array(5).fill(false),
    );
  });

  it('takes tags of strings within 32 entries and 1024 bytes', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, '']));
    expect([isTags({}), isTags({ a: '' }), isTags(many(32)), isTags({ ab: 'é'.repeat(511) })]).toEqual(
      new Array(4).fill(true),
    );
    const refused = [null, [], 'a', { a: 1 }, many(33), { abc: 'é'.repeat(511) }, { a: '\ud800' }, new Uint8Array(1)];
    // In a frame that would be binary.
    refused.push({ $binary: 'aGk=' });
    for (const tags of refused) expect(isTags(tags)).toBe(false);
  });

  it('takes positions', () => {
    expect(isPosition({ ...position, extra: 1 })).toBe(true);
    for (const value of [undefined, null, [], '17-1', { epoch: '17' }, { epoch: '17', offset: 0.5 }]) {
      expect(isPosition(value)).toBe(false);
    }
  });
});
