import { jsonDialect } from '@fanfare/protocol/json';
import { describe, expect, it } from 'vitest';
import { rejectionOf, withFakeServer, withLogServer } from '../test/support.js';
import type { Message } from './index.js';
import { msgpackDialect } from './msgpack.js';
import { type FakeLink, settle } from './testing/index.js';

const CHANNEL = 'chat:1';

/** Makes a connected client. The test answers its publishes by hand. */
function byHand(...options: Parameters<typeof withFakeServer>) {
  const setup = withFakeServer(...options);
  const { client, server, clock } = setup;
  client.connect();
  clock.advance(5);
  const sent = (link: FakeLink = server.link) => link.sent('publish');
  return {
    ...setup,
    sent,
    channel: client.channel(CHANNEL),
    tick: () => clock.advance(5),
    answer(index: number, more: object = { epoch: 'e1', offset: index + 1 }) {
      server.link.send({ type: 'published', id: sent()[index]?.id, channel: CHANNEL, ...more });
      clock.advance(5);
    },
    refuse(index: number, code: string, more: object = {}) {
      server.link.send({ type: 'error', id: sent()[index]?.id, code, message: code, retryable: false, ...more });
      clock.advance(5);
    },
    reconnect() {
      server.link.cut();
      clock.advance(510);
    },
  };
}

describe('publish', () => {
  it('refuses what is no data by name, and sends nothing', async () => {
    const hand = byHand();
    await expect(hand.channel.publish({ users: new Map() })).rejects.toMatchObject({
      code: 'bad_request',
      message: 'data.users: Map is no data',
    });
    await expect(hand.channel.publish({ at: new Date('soon') })).rejects.toMatchObject({
      message: 'data.at: Invalid Date is no data',
    });
    expect(hand.sent()).toEqual([]);
  });

  it('goes out again in the order of the calls, in whatever order they were refused', () => {
    const hand = byHand();
    for (const n of [1, 2]) hand.channel.publish(n).catch(() => {});
    hand.tick();
    hand.refuse(1, 'rate_limited', { retryable: true, retryAfter: 100 });
    hand.refuse(0, 'rate_limited', { retryable: true, retryAfter: 100 });
    hand.clock.advance(1_000);
    expect(hand.sent().map(({ data }) => data)).toEqual([1, 2, 1, 2]);
  });

  it('fails where the answer is one to something else', async () => {
    const hand = byHand();
    const done = rejectionOf(hand.channel.publish(1));
    hand.tick();
    hand.server.link.send({ type: 'refreshed', id: hand.sent()[0]?.id });
    hand.tick();
    expect(await done).toMatchObject({ code: 'malformed_frame' });
  });

  it('resolves with the position', async () => {
    const hand = byHand();
    const done = hand.channel.publish({ n: 1 }, { key: 'k', tags: { a: 'b' }, durability: 'replicated', replicas: 2 });
    hand.tick();
    expect(hand.sent()).toEqual([
      {
        type: 'publish',
        id: expect.any(Number),
        channel: CHANNEL,
        data: { n: 1 },
        key: 'k',
        tags: { a: 'b' },
        durability: 'replicated',
        replicas: 2,
      },
    ]);
    hand.answer(0, { epoch: 'e1', offset: 7, duplicate: true, durability: 'stored', replicas: 0, of: 1 });
    expect(await done).toEqual({
      channel: CHANNEL,
      epoch: 'e1',
      offset: 7,
      key: 'k',
      duplicate: true,
      durability: 'stored',
      replicas: 0,
      of: 1,
    });
    // The timers are the ping, the silence, and the look whether an answer is owed.
    expect(hand.clock.pending).toBe(3);
  });

  it.each([jsonDialect, msgpackDialect])(
    'names the session by which it is sent, in $name, if it is not to come back',
    (dialect) => {
      const hand = byHand({ codec: dialect }, { dialect });
      const data = { bytes: new Uint8Array([1, 2]), n: 1.5 };
      void hand.channel.publish(data, { exceptSelf: true, key: 'k' });
      data.n = 2;
      hand.tick();
      const first = hand.client.session?.session;
      hand.server.welcome = { ...hand.server.welcome, session: 's2' };
      hand.reconnect();
      const second = hand.client.session?.session;
      expect(second).not.toBe(first);
      const sent = hand.server.links.flatMap((link) => link.sent('publish'));
      const fields = { channel: CHANNEL, key: 'k', data: { bytes: new Uint8Array([1, 2]), n: 1.5 } };
      expect(sent).toMatchObject([
        { ...fields, except: first },
        { ...fields, except: second },
      ]);
      expect(sent[0]?.id).toBe(sent[1]?.id);
    },
  );

  it('waits for a connection, and goes out in call order', () => {
    const { client, server, clock } = withFakeServer();
    for (const data of [1, 2, 3]) void client.channel(CHANNEL).publish(data);
    clock.advance(5_000);
    client.connect();
    clock.advance(10);
    expect(server.link.sent('publish').map(({ data }) => data)).toEqual([1, 2, 3]);
  });

  it('does not go out before the gateway has accepted the connection', () => {
    const { client, server, clock } = withFakeServer();
    server.accepts = false;
    void client.channel(CHANNEL).publish(1);
    client.connect();
    clock.advance(100);
    expect(server.link.sent('publish')).toEqual([]);
  });

  it('that was never sent in time is a timeout: it is not in the log', async () => {
    const { client, clock } = withFakeServer();
    const failed = rejectionOf(client.channel(CHANNEL).publish(1, { timeoutMs: 3_000 }));
    clock.advance(3_000);
    const message = expect.stringContaining('was connect() called?');
    expect(await failed).toMatchObject({ code: 'timeout', retryable: true, message });
    expect(clock.pending).toBe(0);
  });

  it('that found no connection in time says why there is none', async () => {
    const { client, server, clock } = withFakeServer();
    server.reachable = false;
    client.connect();
    const failed = rejectionOf(client.channel(CHANNEL).publish(1, { timeoutMs: 3_000 }));
    clock.advance(3_000);
    const message = expect.stringMatching(/3000 ms: no connection to /);
    expect(await failed).toMatchObject({ code: 'timeout', message, cause: { code: 'unreachable' } });
    client.close();
  });

  it('that is not answered in time has an unknown outcome', async () => {
    const hand = byHand();
    const failed = rejectionOf(hand.channel.publish(1));
    hand.clock.advance(330_000);
    expect(await failed).toMatchObject({ code: 'outcome_unknown', retryable: false });
    hand.answer(0);
    expect(hand.errors).toEqual([]);
  });

  it('that was sent waits longer than its time for the answer while the gateway talks', async () => {
    const hand = byHand();
    const done = hand.channel.publish(1);
    const failed = rejectionOf(hand.channel.publish(2));
    const outlives = hand.channel.publish(3);
    hand.tick();
    for (let n = 0; n < 6; n++) {
      hand.clock.advance(10_000);
      hand.server.link.send({ type: 'message', channel: 'slow', data: n, time: 1 });
    }
    hand.answer(0);
    expect(await done).toMatchObject({ offset: 1 });
    hand.refuse(1, 'unavailable', { retryable: true });
    expect(await failed).toMatchObject({ code: 'timeout' });
    hand.reconnect();
    expect(hand.sent()).toMatchObject([{ data: 3 }]);
    hand.answer(0, { offset: 3 });
    expect(await outlives).toMatchObject({ offset: 3 });
  });

  it('outlives a network that goes dark, until the gateway no longer knows its key', async () => {
    const hand = byHand();
    const [first, second] = [hand.channel.publish(1), rejectionOf(hand.channel.publish(2))];
    hand.tick();
    hand.server.link.freeze();
    hand.server.reachable = false;
    hand.clock.advance(11_000);
    expect(hand.client.state).not.toBe('connected');
    hand.clock.advance(49_000);
    hand.server.reachable = true;
    hand.clock.advance(20_010);
    expect(hand.sent()).toMatchObject([{ data: 1 }, { data: 2 }]);
    hand.answer(0);
    expect(await first).toMatchObject({ offset: 1 });
    hand.server.link.freeze();
    hand.server.reachable = false;
    hand.clock.advance(300_000);
    expect(await second).toMatchObject({ code: 'outcome_unknown' });
  });

  it('gives each a key of its own, and none when told so', () => {
    const keys = (options: object) => {
      const hand = byHand(options);
      for (let n = 0; n < 3; n++) void hand.channel.publish(n).catch(() => {});
      hand.tick();
      return hand.sent().map(({ key }) => key);
    };
    expect(new Set(keys({})).size).toBe(3);
    for (const key of keys({})) expect(key).toMatch(/^[0-9a-z]{12}-[0-9a-z]+$/);
    expect(keys({ autoKey: false })).toEqual([undefined, undefined, undefined]);
  });

  it('is sent again with the same key when the connection was lost before the answer, in order', async () => {
    const hand = byHand();
    const done = Promise.all([1, 2].map((data) => hand.channel.publish(data)));
    hand.tick();
    const [first] = hand.server.links;
    hand.server.link.cut();
    const third = hand.channel.publish(3);
    hand.clock.advance(510);
    expect(hand.sent().map(({ data }) => data)).toEqual([1, 2, 3]);
    expect(hand.sent().map(({ key }) => key)).toEqual([...hand.sent(first).map(({ key }) => key), expect.any(String)]);
    for (const index of [0, 1, 2]) hand.answer(index);
    expect(await done).toMatchObject([{ offset: 1 }, { offset: 2 }]);
    expect(await third).toMatchObject({ offset: 3 });
  });

  it('without a key is never sent twice: its outcome is unknown', async () => {
    const hand = byHand({ autoKey: false });
    const failed = rejectionOf(hand.channel.publish(1));
    hand.tick();
    const unsent = withFakeServer({ autoKey: false });
    hand.reconnect();
    expect(await failed).toMatchObject({ code: 'outcome_unknown' });
    expect(hand.sent()).toEqual([]);
    unsent.client.close();
  });

  it('to a live channel carries no key once that is known, and is never repeated', async () => {
    const hand = byHand();
    const first = hand.channel.publish(1);
    hand.tick();
    hand.answer(0, {});
    expect(await first).toEqual({ channel: CHANNEL, key: expect.any(String) });
    const failed = rejectionOf(hand.channel.publish(2, { key: 'mine' }));
    void hand.channel.publish(3).catch(() => {});
    hand.tick();
    expect(hand.sent().map(({ key }) => key)).toEqual([expect.any(String), 'mine', undefined]);
    hand.reconnect();
    expect(await failed).toMatchObject({ code: 'outcome_unknown' });
    expect(hand.sent()).toEqual([]);
  });

  it('knows a live channel from subscribing to it', () => {
    const { client, server, clock } = withLogServer();
    client.channel('live:x').subscribe(() => {});
    client.connect();
    clock.advance(10);
    void client.channel('live:x').publish(1);
    clock.advance(5);
    expect(server.link.sent('publish')[0]).not.toHaveProperty('key');
  });

  it('is not repeated once the gateway may have forgotten its key', async () => {
    const hand = byHand();
    hand.server.welcome = { ...hand.server.welcome, idempotencyMs: 2_000 };
    const failed = rejectionOf(hand.channel.publish(1));
    hand.tick();
    hand.server.reachable = false;
    hand.server.link.cut();
    hand.clock.advance(3_000);
    hand.server.reachable = true;
    hand.clock.advance(10_000);
    expect(await failed).toMatchObject({ code: 'outcome_unknown' });
    expect(hand.sent()).toEqual([]);
  });

  it('that was refused for good says why', async () => {
    const hand = byHand();
    const failed = rejectionOf(hand.channel.publish(1));
    hand.tick();
    hand.refuse(0, 'forbidden');
    expect(await failed).toMatchObject({ code: 'forbidden', retryable: false });
  });

  it('that was refused for now is tried again, key or not, within its time', async () => {
    const hand = byHand({ autoKey: false });
    const done = hand.channel.publish(1);
    hand.tick();
    hand.refuse(0, 'unavailable', { retryable: true, retryAfter: 2_000 });
    hand.clock.advance(1_900);
    expect(hand.sent()).toHaveLength(1);
    hand.clock.advance(200);
    expect(hand.sent()).toHaveLength(2);
    hand.answer(1);
    await done;

    const failed = rejectionOf(hand.channel.publish(2));
    for (let n = 0; n < 200; n++) {
      hand.tick();
      hand.clock.advance(100);
      if (hand.sent().length > 2) hand.refuse(hand.sent().length - 1, 'unavailable', { retryable: true });
    }
    // The gateway refused it, so it was not done.
    expect(await failed).toMatchObject({ code: 'timeout' });
    expect(hand.sent().length).toBeGreaterThan(3);
  });

  it('that may have been stored by an earlier sending is not called refused', async () => {
    const hand = byHand();
    const failed = rejectionOf(hand.channel.publish(1));
    hand.tick();
    hand.reconnect();
    hand.refuse(0, 'forbidden');
    expect(await failed).toMatchObject({ code: 'outcome_unknown', cause: { code: 'forbidden' } });
  });

  it('adapts to a rate limit, and gets everything through', async () => {
    const hand = byHand({ requestTimeoutMs: 120_000 });
    const { server, clock } = hand;
    let tokens = 50;
    let refused = 0;
    const stored: unknown[] = [];
    const refill = () =>
      clock.after(100, () => {
        tokens = Math.min(50, tokens + 5);
        refill();
      });
    refill();
    server.onFrame = (frame, link) => {
      if (frame.type !== 'publish') return;
      if (tokens < 1) {
        refused++;
        const { id } = frame;
        link.send({ type: 'error', id, code: 'rate_limited', message: '', retryable: true, retryAfter: 200 });
        return;
      }
      tokens--;
      stored.push(frame.data);
      link.send({ type: 'published', id: frame.id, channel: CHANNEL, epoch: 'e', offset: stored.length });
    };
    const all = Promise.all(Array.from({ length: 1_000 }, (_, n) => hand.channel.publish(n)));
    clock.advance(40_000);
    expect(await all).toHaveLength(1_000);
    expect(new Set(stored).size).toBe(1_000);
    expect(refused).toBeLessThan(1_000);
  });

  it.each([1, 40])('keeps to a rate that it was told of, at a latency of %i ms', async (latencyMs) => {
    const { client, server, clock } = withFakeServer({ requestTimeoutMs: 60_000 }, { latencyMs: () => latencyMs });
    // The test counts as the gateway does: so many a second, that many at once, and the time to the next one.
    const perSecond = 50;
    let tokens = perSecond;
    let countedAt = clock.now();
    let errors = 0;
    let stored = 0;
    server.onFrame = (frame, link) => {
      if (frame.type !== 'publish') return;
      const { id } = frame;
      tokens = Math.min(perSecond, tokens + ((clock.now() - countedAt) * perSecond) / 1_000);
      countedAt = clock.now();
      if (tokens < 1) {
        errors++;
        const retryAfter = Math.ceil(((1 - tokens) * 1_000) / perSecond);
        link.send({ type: 'error', id, code: 'rate_limited', message: 'too fast', retryable: true, retryAfter });
        return;
      }
      tokens--;
      link.send({ type: 'published', id, channel: CHANNEL, epoch: 'e', offset: ++stored });
    };
    client.connect();
    const all = Promise.all(Array.from({ length: 600 }, (_, n) => client.channel(CHANNEL).publish(n)));
    clock.advance(16_000);
    expect(await all).toHaveLength(600);
    // These are the ones on their way when the first refusal came, then one of five.
    expect(errors).toBeLessThan(206 + 550 / 5);
  });

  it('keeps what may be open within a window', () => {
    const hand = byHand();
    for (let n = 0; n < 1_000; n++) void hand.channel.publish(n).catch(() => {});
    hand.tick();
    expect(hand.sent()).toHaveLength(256);
    hand.answer(0);
    hand.tick();
    expect(hand.sent()).toHaveLength(257);
    hand.client.close();
  });

  it('refuses more than may wait', async () => {
    const { client } = withFakeServer({ maxPending: 2 });
    const channel = client.channel(CHANNEL);
    for (let n = 0; n < 2; n++) void channel.publish(n).catch(() => {});
    expect(await rejectionOf(channel.publish(2))).toMatchObject({ code: 'limit_exceeded', retryable: true });
    client.close();
  });

  it('refuses a frame that the gateway would not take, by its bytes', async () => {
    const hand = byHand();
    const size = hand.server.welcome.maxFrame;
    expect(await rejectionOf(hand.channel.publish('x'.repeat(size)))).toMatchObject({ code: 'too_large' });
    expect(await rejectionOf(hand.channel.publish('ü'.repeat(size / 2)))).toMatchObject({ code: 'too_large' });
    void hand.channel.publish('x'.repeat(size - 200)).catch(() => {});
    void hand.channel.publish('ü'.repeat(size / 2 - 100)).catch(() => {});
    hand.tick();
    expect(hand.sent()).toHaveLength(2);
  });

  it('refuses it also where the limit was not known when it was called', async () => {
    const { client, clock, server } = withFakeServer();
    const failed = rejectionOf(client.channel(CHANNEL).publish('x'.repeat(100_000)));
    const done = client.channel(CHANNEL).publish('small');
    client.connect();
    clock.advance(10);
    expect(await failed).toMatchObject({ code: 'too_large' });
    expect(server.link.sent('publish').map(({ data }) => data)).toEqual(['small']);
    void done.catch(() => {});
    client.close();
  });

  it('refuses in MessagePack what is too large, and carries binary', async () => {
    const { client, server, clock } = withFakeServer({ codec: msgpackDialect }, { dialect: msgpackDialect });
    client.connect();
    clock.advance(5);
    const channel = client.channel(CHANNEL);
    expect(await rejectionOf(channel.publish(new Uint8Array(80_000)))).toMatchObject({ code: 'too_large' });
    void channel.publish(new Uint8Array([1, 2])).catch(() => {});
    clock.advance(5);
    expect(server.link.sent('publish')[0]?.data).toEqual(new Uint8Array([1, 2]));
  });

  it.each([
    ['undefined', undefined],
    ['a BigInt', { n: 1n }],
    ['a cycle', cycle()],
  ])('refuses %s', async (_, data) => {
    expect(await rejectionOf(byHand().channel.publish(data))).toMatchObject({ code: 'bad_request' });
  });

  it.each([
    ['an empty key', ''],
    ['a long key', 'ü'.repeat(65)],
    ['null for a key', null],
  ])('refuses %s', async (_, key) => {
    const hand = byHand();
    expect(await rejectionOf(hand.channel.publish(1, { key: key as string }))).toMatchObject({ code: 'bad_request' });
    hand.tick();
    expect(hand.sent()).toEqual([]);
  });

  it('takes the data as it is at the call', () => {
    const hand = byHand();
    const data = { n: 1 };
    void hand.channel.publish(data).catch(() => {});
    data.n = 2;
    hand.tick();
    expect(hand.sent()[0]?.data).toEqual({ n: 1 });
  });

  it('that is cut off by close() is unknown if it was sent, and closed if not', async () => {
    const hand = byHand();
    const sent = rejectionOf(hand.channel.publish(1));
    hand.tick();
    hand.client.close();
    const late = rejectionOf(hand.channel.publish(2));
    expect(await sent).toMatchObject({ code: 'outcome_unknown' });
    expect(await late).toMatchObject({ code: 'closed' });

    const idle = withFakeServer();
    const waiting = rejectionOf(idle.client.channel(CHANNEL).publish(1));
    idle.client.connect();
    idle.client.close();
    expect(await waiting).toMatchObject({ code: 'closed' });
  });

  it('that waits when the gateway refuses the client for good says so, as does one that comes then', async () => {
    const hand = byHand();
    const sent = rejectionOf(hand.channel.publish(1));
    hand.tick();
    hand.server.link.cut();
    const unsent = rejectionOf(hand.channel.publish(2));
    hand.server.accepts = false;
    hand.server.onFrame = (_, link) => link.close(4403);
    hand.clock.advance(1_000);
    expect(hand.client.state).toBe('failed');
    expect(await sent).toMatchObject({ code: 'outcome_unknown', cause: { code: 'forbidden' } });
    expect(await unsent).toMatchObject({ code: 'forbidden' });
    expect(await rejectionOf(hand.channel.history())).toMatchObject({ code: 'forbidden' });
    hand.server.accepts = true;
    hand.server.onFrame = () => {};
    hand.client.connect();
    const again = hand.channel.publish(3);
    hand.tick();
    hand.answer(0);
    expect(await again).toMatchObject({ offset: 1 });
  });

  it('is held back with everything else when the gateway asks for less without naming a request', () => {
    const hand = byHand();
    const frame = { type: 'error', code: 'rate_limited', message: 'slow down', retryable: true, retryAfter: 3_000 };
    hand.server.link.send(frame);
    hand.tick();
    expect(hand.errors).toMatchObject([{ code: 'rate_limited', retryAfterMs: 3_000 }]);
    void hand.channel.publish(1).catch(() => {});
    hand.client.channel('x').subscribe(() => {});
    hand.clock.advance(2_900);
    expect(hand.server.link.received).toHaveLength(1);
    hand.clock.advance(200);
    expect(hand.server.link.received).toHaveLength(3);
  });

  it('is stored once though the answer is lost again and again', async () => {
    const { client, server, clock } = withLogServer({ stableMs: 1 });
    client.connect();
    clock.advance(10);
    const results: unknown[] = [];
    for (let n = 0; n < 20; n++) {
      void client
        .channel(CHANNEL)
        .publish(n)
        .then((result) => results.push(result.offset));
      clock.advance(1);
      server.link.cut();
      clock.advance(700);
      await settle();
    }
    expect(server.log(CHANNEL).entries.map(({ data }) => data)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(results).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  });
});

describe('history', () => {
  it('reads pages of messages with their positions', async () => {
    const { client, server, clock } = withLogServer();
    for (let n = 1; n <= 5; n++) server.publish(CHANNEL, n, n === 5 ? 'k' : undefined);
    client.connect();
    const channel = client.channel<number>(CHANNEL);
    const first = channel.history({ limit: 3 });
    clock.advance(10);
    const page = await first;
    expect(page.messages.map(({ data, offset, channel }) => [channel, data, offset])).toEqual([
      [CHANNEL, 1, 1],
      [CHANNEL, 2, 2],
      [CHANNEL, 3, 3],
    ]);
    expect(page.more).toBe(true);
    const second = channel.history({ after: page.messages[2] });
    clock.advance(10);
    expect((await second).messages.map(({ data, key }) => [data, key])).toEqual([
      [4, undefined],
      [5, 'k'],
    ]);
    expect(server.link.sent('history')[1]).toEqual({
      type: 'history',
      id: expect.any(Number),
      channel: CHANNEL,
      after: { epoch: '100', offset: 3 },
    });
  });

  it('says why a position cannot be used', async () => {
    const hand = byHand();
    const read = async (message: string) => {
      const failed = rejectionOf(hand.channel.history({ after: { epoch: 'e', offset: 9 } }));
      hand.tick();
      const id = hand.server.link.sent('history').at(-1)?.id;
      hand.server.link.send({ type: 'error', id, code: 'bad_request', message, retryable: false });
      hand.tick();
      return await failed;
    };
    expect(await read('expired: the position cannot be used')).toMatchObject({
      code: 'bad_request',
      reason: 'expired',
    });
    expect(await read('diverged')).toMatchObject({ reason: 'diverged' });
    for (const other of ['a live channel', 'toString: x', 'it expired'])
      expect((await read(other)).reason).toBe(undefined);
  });

  it('and subscribe take a durable message for a position, and no other', async () => {
    const { client, server, clock } = withLogServer();
    for (let n = 1; n <= 4; n++) server.publish(CHANNEL, n);
    client.connect();
    const channel = client.channel<number>(CHANNEL);
    const messages: Message<number>[] = [];
    channel.subscribe((message) => messages.push(message), { rewind: 2 }).on('error', () => {});
    clock.advance(10);
    const [third] = messages;
    if (!third) throw new Error('nothing came');
    const page = channel.history({ after: third });
    const other = byHand();
    other.channel.subscribe(() => {}, { since: third });
    other.tick();
    clock.advance(10);
    expect((await page).messages.map(({ data }) => data)).toEqual([4]);
    expect(other.server.link.sent('subscribe')[0]?.since).toEqual({ epoch: '100', offset: 3 });
    const live: Message = { channel: 'live:x', data: 1, time: 1 };
    expect(() => channel.subscribe(() => {}, { since: live })).toThrow('not a position');
    expect(await rejectionOf(channel.history({ before: live }))).toMatchObject({ code: 'bad_request' });
  });

  it('is asked again after a lost connection, and times out as nothing done', async () => {
    const hand = byHand();
    const failed = rejectionOf(hand.channel.history({ before: { epoch: 'e', offset: 9 }, timeoutMs: 5_000 }));
    hand.tick();
    hand.reconnect();
    expect(hand.server.link.sent('history')).toHaveLength(1);
    hand.clock.advance(5_000);
    expect(await failed).toMatchObject({ code: 'timeout', retryable: true });
  });
});

function cycle(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}
