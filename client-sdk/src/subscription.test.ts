import type { Position } from '@fanfare/protocol';
import { describe, expect, it, vi } from 'vitest';
import { collect, rejectionOf, withFakeServer, withLogServer } from '../test/support.js';
import type { FanfareClientError, Subscription } from './index.js';
import { settle } from './testing/index.js';

const CHANNEL = 'chat:1';
const at = (offset: number, epoch = 'e1'): Position => ({ epoch, offset });

/** Makes a connected client and a gateway that the test plays by hand. */
function byHand() {
  const setup = withFakeServer();
  const { client, server, clock } = setup;
  client.connect();
  clock.advance(5);
  const tick = () => clock.advance(5);
  return {
    ...setup,
    tick,
    channel: client.channel<number>(CHANNEL),
    subscribes: () => server.link.sent('subscribe'),
    unsubscribes: () => server.link.sent('unsubscribe'),
    /** Answers the newest subscribe. */
    subscribed(position: Position | undefined, more: object = {}) {
      const id = server.link.sent('subscribe').at(-1)?.id;
      server.link.send({
        type: 'subscribed',
        id,
        channel: CHANNEL,
        durable: position !== undefined,
        ...position,
        ...more,
      });
      tick();
    },
    unsubscribed() {
      server.link.send({ type: 'unsubscribed', id: server.link.sent('unsubscribe').at(-1)?.id, channel: CHANNEL });
      tick();
    },
    refuse(code: string, more: object = {}) {
      const id = server.link.sent('subscribe').at(-1)?.id;
      server.link.send({ type: 'error', id, code, message: code, retryable: false, ...more });
      tick();
    },
    message(offset: number | undefined, data: number = offset ?? 0) {
      server.link.send({ type: 'message', channel: CHANNEL, ...(offset !== undefined && { offset }), data, time: 1 });
      tick();
    },
    /** Makes a subscription that stands at an offset. */
    standing(offset: number) {
      const seen = collect<number>();
      const subscription = this.channel.subscribe(seen.handler);
      tick();
      this.subscribed(at(offset));
      return { subscription, data: seen.data, events: listen(subscription) };
    },
    reconnect() {
      server.link.cut();
      clock.advance(510);
    },
  };
}

/** Collects everything that a subscription tells except messages. */
function listen(subscription: Subscription<number>): [string, unknown][] {
  const events: [string, unknown][] = [];
  for (const name of ['subscribed', 'recovered', 'reset', 'lagged', 'error'] as const) {
    subscription.on(name, (event) => events.push([name, event]));
  }
  return events;
}

describe('joining', () => {
  it('begins at the end of the log, hands out messages with their positions', async () => {
    const hand = byHand();
    const seen = collect<number>();
    const subscription = hand.channel.subscribe(seen.handler);
    const events = listen(subscription);
    expect(subscription.state).toBe('subscribing');
    hand.tick();
    expect(hand.subscribes()).toEqual([{ type: 'subscribe', id: expect.any(Number), channel: CHANNEL }]);
    hand.subscribed(at(41));
    await subscription.ready();
    expect(subscription).toMatchObject({ state: 'subscribed', position: at(41), channel: CHANNEL });
    expect(events).toEqual([['subscribed', { durable: true, position: at(41), again: false }]]);
    hand.server.link.send({
      type: 'message',
      channel: CHANNEL,
      offset: 42,
      data: 7,
      time: 5,
      user: 'u',
      key: 'k',
      tags: { a: 'b' },
    });
    hand.tick();
    expect(seen.messages).toEqual([
      { channel: CHANNEL, epoch: 'e1', offset: 42, data: 7, time: 5, user: 'u', key: 'k', tags: { a: 'b' } },
    ]);
    expect(subscription.position).toEqual(at(42));
    expect(hand.client.stats.received).toBe(1);
  });

  it.each([{ since: at(3) }, { rewind: 20 }, { rewindMs: 60_000 }])('can start with %o', (start) => {
    const hand = byHand();
    hand.channel.subscribe(() => {}, start);
    hand.tick();
    expect(hand.subscribes()).toMatchObject([start]);
  });

  it('rewinds for whom it is asked, and then starts for who has a position', () => {
    const hand = byHand();
    const rewound = hand.channel.subscribe(() => {}, { rewind: 5 });
    const resumed = hand.channel.subscribe(() => {}, { since: at(9) });
    hand.tick();
    expect(hand.subscribes()).toMatchObject([{ rewind: 5 }]);
    hand.subscribed(at(3));
    expect([rewound.position, resumed.position]).toEqual([at(3), at(9)]);
    hand.tick();
    expect(hand.subscribes().at(-1)).toMatchObject({ since: at(9) });
  });

  it('takes a message as a position to start from', () => {
    const hand = byHand();
    const message = { channel: CHANNEL, data: 1, time: 1, key: 'k', ...at(3) };
    hand.channel.subscribe(() => {}, { since: message });
    hand.tick();
    expect(hand.subscribes()[0]?.since).toEqual(at(3));
  });

  it.each([
    { since: at(1), rewind: 1 },
    { rewind: 1, rewindMs: 1 },
    { rewind: -1 },
    { rewind: 1.5 },
    { since: at(Number.NaN) },
  ])('refuses %o as a start', (start) => {
    expect(() => byHand().channel.subscribe(() => {}, start)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });

  it.each(['', 'with space', 'x'.repeat(256)])('refuses %j as a channel', (name) => {
    expect(() => byHand().client.channel(name)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });

  it('sends its first subscribes right behind connect', () => {
    const { client, server, clock } = withFakeServer();
    server.accepts = false;
    client.channel('a').subscribe(() => {});
    client.channel('b').subscribe(() => {}, { rewind: 1 });
    client.connect();
    clock.advance(5);
    expect(server.link.received.map(({ type }) => type)).toEqual(['connect', 'subscribe', 'subscribe']);
  });

  it('shares one subscription on the wire; a later one joins where it stands', () => {
    const hand = byHand();
    const { data } = hand.standing(10);
    hand.message(11);
    const late = collect<number>();
    const second = hand.channel.subscribe(late.handler);
    expect(second).toMatchObject({ state: 'subscribed', position: at(11) });
    hand.message(12);
    expect(data()).toEqual([11, 12]);
    expect(late.data()).toEqual([12]);
    expect(hand.subscribes()).toHaveLength(1);
  });

  it.each([
    ['on the wire', 100],
    ['asked for', 0],
  ])('gives each its own rewind, and nobody a message twice, where the first is %s', async (_, ms) => {
    const { clock, server, client, errors } = withLogServer();
    for (const n of [1, 2, 3, 4]) server.publish('a', n);
    const [first, two, all, open] = [collect(), collect(), collect(), collect()];
    client.channel('a').subscribe(first.handler);
    client.connect();
    clock.advance(ms);
    const early = client.channel('a').subscribe(two.handler, { rewind: 2 });
    client.channel('a').subscribe(all.handler, { rewindMs: 60_000 });
    client.channel('a').subscribe(open.handler);
    clock.advance(100);
    server.publish('a', 5);
    clock.advance(100);
    expect(first.data()).toEqual([5]);
    expect(two.data()).toEqual([3, 4, 5]);
    expect(all.data().at(-1)).toBe(5);
    expect(open.data().filter((n) => n === 5)).toEqual([5]);
    expect([early.position, errors]).toEqual([server.log('a').head, []]);
  });

  it('refuses a rewind of a live channel to who asks, and to nobody else', async () => {
    const { clock, server, client } = withLogServer();
    const [first, second] = [collect(), collect()];
    client.channel('live:a').subscribe(first.handler);
    client.connect();
    const asked: string[] = [];
    client
      .channel('live:a')
      .subscribe(second.handler, { rewind: 2 })
      .on('error', ({ code }) => asked.push(code));
    clock.advance(100);
    client
      .channel('live:a')
      .subscribe(second.handler, { rewind: 2 })
      .on('error', ({ code }) => asked.push(code));
    await Promise.resolve();
    server.publish('live:a', 1);
    clock.advance(100);
    expect([first.data(), second.data(), asked]).toEqual([[1], [], ['bad_request', 'bad_request']]);
  });

  it('gives a later subscription what follows its own position, and nobody a message twice', () => {
    const { clock, server, client, errors } = withLogServer();
    for (const n of [1, 2, 3, 4]) server.publish('a', n);
    const { epoch } = server.log('a').head;
    const [first, early, same, open] = [collect(), collect(), collect(), collect()];
    client.channel('a').subscribe(first.handler, { rewind: 2 });
    client.connect();
    clock.advance(100);
    client.channel('a').subscribe(early.handler, { since: { epoch, offset: 1 } });
    client.channel('a').subscribe(same.handler, { since: server.log('a').head });
    clock.advance(100);
    client.channel('a').subscribe(open.handler);
    server.publish('a', 5);
    clock.advance(100);
    expect(first.data()).toEqual([3, 4, 5]);
    expect(early.data()).toEqual([2, 3, 4, 5]);
    expect(same.data()).toEqual([5]);
    expect(open.data()).toEqual([5]);
    expect(errors).toEqual([]);
  });

  it('does so too while the subscribe of the first is open', () => {
    const { clock, server, client } = withLogServer();
    for (const n of [1, 2, 3]) server.publish('a', n);
    const { epoch } = server.log('a').head;
    const [first, early] = [collect(), collect()];
    client.connect();
    clock.advance(100);
    client.channel('a').subscribe(first.handler);
    client.channel('a').subscribe(early.handler, { since: { epoch, offset: 1 } });
    clock.advance(100);
    server.publish('a', 4);
    clock.advance(100);
    expect([first.data(), early.data()]).toEqual([[4], [2, 3, 4]]);
  });

  it('lets a handler subscribe to the same channel without a message twice', () => {
    const hand = byHand();
    const inner = collect<number>();
    const { subscription } = hand.standing(1);
    subscription.on('message', ({ data }) => {
      if (data === 2) hand.channel.subscribe(inner.handler);
    });
    hand.message(2);
    hand.message(3);
    expect(inner.data()).toEqual([3]);
  });
});

describe('coming back', () => {
  it('resumes from its position, and says that nothing was missed', () => {
    const hand = byHand();
    const { subscription, data, events } = hand.standing(1);
    hand.message(2);
    events.length = 0;
    hand.reconnect();
    expect(subscription.state).toBe('subscribing');
    expect(hand.subscribes()).toMatchObject([{ since: at(2) }]);
    hand.subscribed(at(2), { recovered: true });
    hand.message(3);
    expect(data()).toEqual([2, 3]);
    expect(events).toEqual([
      ['subscribed', { durable: true, position: at(2), again: true }],
      ['recovered', { position: at(2) }],
    ]);
    expect(hand.client.stats).toMatchObject({ recovered: 1, resets: 0, reconnects: 1 });
  });

  it('rewinds only until it has been answered', () => {
    const hand = byHand();
    hand.channel.subscribe(() => {}, { rewind: 5 });
    hand.tick();
    hand.reconnect();
    expect(hand.subscribes()).toMatchObject([{ rewind: 5 }]);
    hand.subscribed(at(10));
    hand.reconnect();
    expect(hand.subscribes()[0]).toMatchObject({ since: at(10) });
    expect(hand.subscribes()[0]).not.toHaveProperty('rewind');
  });

  it('tells a reset when it could not be recovered, and goes on from there', () => {
    const hand = byHand();
    const { subscription, data, events } = hand.standing(5);
    hand.reconnect();
    events.length = 0;
    hand.subscribed(at(90, 'e2'), { recovered: false, reason: 'unrecoverable' });
    expect(events).toEqual([
      ['subscribed', { durable: true, position: at(90, 'e2'), again: true }],
      ['reset', { reason: 'unrecoverable', position: at(90, 'e2'), previous: at(5) }],
    ]);
    hand.message(91);
    expect(data()).toEqual([91]);
    expect(subscription.position).toEqual(at(91, 'e2'));
    expect(hand.client.stats).toMatchObject({ recovered: 0, resets: 1 });
  });

  it('takes the new name of a place at a border', () => {
    const hand = byHand();
    const { subscription, events } = hand.standing(5);
    hand.reconnect();
    hand.subscribed(at(5, 'e2'), { recovered: true });
    expect(subscription.position).toEqual(at(5, 'e2'));
    expect(events.map(([name]) => name)).not.toContain('reset');
  });

  it('does not believe a recovery that would skip messages', () => {
    const hand = byHand();
    const { subscription, data } = hand.standing(5);
    hand.reconnect();
    hand.subscribed(at(9), { recovered: true });
    hand.message(10);
    expect(data()).toEqual([]);
    expect(subscription.position).toEqual(at(5));
    expect(hand.subscribes().at(-1)).toMatchObject({ since: at(5) });
    expect(hand.client.stats.gaps).toBe(1);
  });

  it('takes up a live channel again, and says that it is again', () => {
    const hand = byHand();
    const seen = collect<number>();
    const subscription = hand.channel.subscribe(seen.handler);
    const events = listen(subscription);
    hand.tick();
    hand.subscribed(undefined);
    hand.message(undefined, 1);
    hand.reconnect();
    expect(hand.subscribes()).toEqual([{ type: 'subscribe', id: expect.any(Number), channel: CHANNEL }]);
    hand.subscribed(undefined);
    hand.message(undefined, 2);
    expect(seen.data()).toEqual([1, 2]);
    expect(subscription.position).toBeUndefined();
    expect(events).toEqual([
      ['subscribed', { durable: false, position: undefined, again: false }],
      ['subscribed', { durable: false, position: undefined, again: true }],
    ]);
  });

  it('is not disturbed by replies and frames of the connection before', () => {
    const hand = byHand();
    const { data } = hand.standing(5);
    const old = hand.server.link;
    hand.reconnect();
    old.open = true;
    old.send({ type: 'message', channel: CHANNEL, offset: 6, data: 6, time: 1 });
    hand.tick();
    expect(data()).toEqual([]);
  });
});

describe('order and completeness', () => {
  it('drops what it has seen, and counts it', () => {
    const hand = byHand();
    const { data } = hand.standing(5);
    for (const offset of [6, 6, 5, 1, 7]) hand.message(offset);
    expect(data()).toEqual([6, 7]);
    expect(hand.client.stats).toMatchObject({ received: 2, duplicatesDropped: 3, gaps: 0 });
    expect(hand.subscribes()).toHaveLength(1);
  });

  it('starts over from its position at a gap, and drops what comes until that is answered', () => {
    const hand = byHand();
    const { data, subscription } = hand.standing(5);
    hand.message(7);
    expect(hand.subscribes().slice(1)).toMatchObject([{ since: at(5) }]);
    hand.message(8);
    hand.message(6);
    expect(data()).toEqual([]);
    hand.subscribed(at(5), { recovered: true });
    for (const offset of [6, 7, 8]) hand.message(offset);
    expect(data()).toEqual([6, 7, 8]);
    expect(subscription.position).toEqual(at(8));
    expect(hand.client.stats.gaps).toBe(1);
    expect(hand.subscribes()).toHaveLength(2);
  });

  it('slows down where gap follows gap', () => {
    const hand = byHand();
    hand.standing(5);
    for (let n = 0; n < 400; n++) {
      hand.message(9);
      if (hand.subscribes().length > hand.client.stats.recovered + 1) hand.subscribed(at(5), { recovered: true });
    }
    // 400 rounds of 10 ms are 4 s: far fewer than one resume a round.
    expect(hand.client.stats.gaps).toBeGreaterThan(3);
    expect(hand.client.stats.gaps).toBeLessThan(40);
  });

  it('takes a message without a place on a durable channel for a gap', () => {
    const hand = byHand();
    const { data } = hand.standing(5);
    hand.message(undefined, 1);
    expect(data()).toEqual([]);
    expect(hand.subscribes().slice(1)).toMatchObject([{ since: at(5) }]);
  });

  it('goes on in a new epoch', () => {
    const hand = byHand();
    const { subscription, data, events } = hand.standing(5);
    hand.server.link.send({ type: 'epoch', channel: CHANNEL, ...at(5, 'e2') });
    hand.message(6);
    expect(subscription.position).toEqual(at(6, 'e2'));
    expect(data()).toEqual([6]);
    expect(events.map(([name]) => name)).not.toContain('reset');
    hand.reconnect();
    expect(hand.subscribes()).toMatchObject([{ since: at(6, 'e2') }]);
  });

  it.each([4, 6])('asks the log when an epoch begins elsewhere than it stands (%i)', (offset) => {
    const hand = byHand();
    const { subscription } = hand.standing(5);
    hand.server.link.send({ type: 'epoch', channel: CHANNEL, ...at(offset, 'e2') });
    hand.tick();
    expect(subscription.position).toEqual(at(5));
    expect(hand.subscribes().slice(1)).toMatchObject([{ since: at(5) }]);
  });

  it('ignores an epoch frame that it has had', () => {
    const hand = byHand();
    const { subscription } = hand.standing(5);
    hand.server.link.send({ type: 'epoch', channel: CHANNEL, ...at(5, 'e2') });
    hand.message(6);
    hand.server.link.send({ type: 'epoch', channel: CHANNEL, ...at(5, 'e2') });
    hand.tick();
    expect(subscription.position).toEqual(at(6, 'e2'));
    expect(hand.subscribes()).toHaveLength(1);
  });

  it('tells a reset on the way and moves, also back', () => {
    const hand = byHand();
    const { subscription, data, events } = hand.standing(50);
    events.length = 0;
    hand.server.link.send({ type: 'reset', channel: CHANNEL, reason: 'diverged', ...at(47) });
    hand.tick();
    expect(events).toEqual([['reset', { reason: 'diverged', position: at(47), previous: at(50) }]]);
    hand.message(48);
    expect(data()).toEqual([48]);
    expect(subscription.position).toEqual(at(48));
    expect(hand.client.stats.resets).toBe(1);
  });

  it('ignores frames of channels it is not on, and frames it does not know', () => {
    const hand = byHand();
    const { subscription } = hand.standing(5);
    const { link } = hand.server;
    link.send({ type: 'message', channel: 'other', offset: 1, data: 1, time: 1 });
    link.send({ type: 'epoch', channel: 'other', ...at(1) });
    link.send({ type: 'reset', channel: 'other', reason: 'expired', ...at(1) });
    link.send({ type: 'lagged', channels: ['other'] });
    link.send({ type: 'unsubscribed', channel: 'other' });
    link.send({ type: 'unsubscribed', id: 999, channel: 'other' });
    link.send({ type: 'subscribed', id: 999, channel: CHANNEL, durable: true, ...at(99) });
    link.send({ type: 'error', id: 999, code: 'internal', message: '', retryable: false });
    link.send({ type: 'fireworks' });
    hand.tick();
    expect(subscription).toMatchObject({ state: 'subscribed', position: at(5) });
    expect(hand.errors).toEqual([]);
  });
});

describe('lagging', () => {
  it('subscribes again at once, from its position, over the same connection', () => {
    const hand = byHand();
    const { events, subscription, data } = hand.standing(5);
    events.length = 0;
    hand.server.link.send({ type: 'lagged', channels: ['x', CHANNEL] });
    hand.tick();
    expect(subscription.state).toBe('subscribing');
    expect(hand.subscribes().slice(1)).toMatchObject([{ since: at(5) }]);
    hand.subscribed(at(5), { recovered: true });
    hand.message(6);
    expect(data()).toEqual([6]);
    expect(events.map(([name]) => name)).toEqual(['lagged', 'subscribed', 'recovered']);
    expect(events[0]?.[1]).toEqual({ missed: false });
    expect(hand.server.links).toHaveLength(1);
    expect(hand.client.stats.lagged).toBe(1);
  });

  it('says on a live channel that messages were missed, and joins without a start', () => {
    const hand = byHand();
    const subscription = hand.channel.subscribe(() => {});
    const events = listen(subscription);
    hand.tick();
    hand.subscribed(undefined);
    hand.server.link.send({ type: 'lagged', channels: [CHANNEL] });
    hand.tick();
    expect(events.at(-1)).toEqual(['lagged', { missed: true }]);
    expect(hand.subscribes().at(-1)).toEqual({ type: 'subscribe', id: expect.any(Number), channel: CHANNEL });
    hand.subscribed(undefined);
    expect(subscription.state).toBe('subscribed');
  });

  it('does not trust a subscribe that was open meanwhile', () => {
    const hand = byHand();
    const { data } = hand.standing(5);
    hand.message(9);
    hand.server.link.send({ type: 'lagged', channels: [CHANNEL] });
    hand.tick();
    expect(hand.subscribes()).toHaveLength(2);
    hand.subscribed(at(5), { recovered: true });
    expect(hand.subscribes().slice(2)).toMatchObject([{ since: at(5) }]);
    hand.subscribed(at(5), { recovered: true });
    hand.message(6);
    expect(data()).toEqual([6]);
    expect(hand.subscribes()).toHaveLength(3);
  });

  it('crossing an unsubscribe does not bring the channel back', () => {
    const hand = byHand();
    const { subscription } = hand.standing(5);
    subscription.unsubscribe();
    hand.server.link.send({ type: 'lagged', channels: [CHANNEL] });
    hand.tick();
    hand.unsubscribed();
    expect(hand.subscribes()).toHaveLength(1);
  });
});

describe('leaving', () => {
  it('hands out nothing more at once, and tells the gateway when the last one has left', async () => {
    const hand = byHand();
    const { subscription, data } = hand.standing(5);
    const second = hand.channel.subscribe(() => {});
    subscription.unsubscribe();
    hand.message(6);
    expect(data()).toEqual([]);
    expect(hand.unsubscribes()).toHaveLength(0);
    second.unsubscribe();
    second.unsubscribe();
    hand.tick();
    expect(hand.unsubscribes()).toHaveLength(1);
    expect(second.state).toBe('unsubscribed');
    expect(await rejectionOf(second.ready())).toMatchObject({ code: 'closed' });
    hand.unsubscribed();
    hand.reconnect();
    expect(hand.subscribes()).toHaveLength(0);
  });

  it('works from within a handler, also for another subscription', () => {
    const hand = byHand();
    const { subscription, data } = hand.standing(5);
    const second = collect<number>();
    const other = hand.channel.subscribe(second.handler);
    subscription.on('message', () => {
      subscription.unsubscribe();
      other.unsubscribe();
    });
    hand.message(6);
    hand.message(7);
    expect(data()).toEqual([6]);
    expect(second.data()).toEqual([]);
  });

  it('and coming again at once begins anew, once the gateway has let go', () => {
    const hand = byHand();
    const { subscription } = hand.standing(5);
    hand.message(6);
    subscription.unsubscribe();
    const seen = collect<number>();
    hand.channel.subscribe(seen.handler, { rewind: 2 });
    hand.tick();
    hand.message(7);
    expect(hand.subscribes()).toHaveLength(1);
    hand.unsubscribed();
    expect(hand.subscribes().slice(1)).toMatchObject([{ rewind: 2 }]);
    hand.subscribed(at(5));
    for (const offset of [6, 7, 8]) hand.message(offset);
    expect(seen.data()).toEqual([6, 7, 8]);
  });

  it('before the answer, and coming again, does not mistake that answer for its own', () => {
    const hand = byHand();
    const first = hand.channel.subscribe(() => {});
    hand.tick();
    first.unsubscribe();
    const seen = collect<number>();
    const again = hand.channel.subscribe(seen.handler, { rewind: 2 });
    hand.tick();
    hand.subscribed(at(9));
    expect(again.position).toBeUndefined();
    expect(hand.unsubscribes()).toHaveLength(1);
    hand.unsubscribed();
    expect(hand.subscribes().slice(1)).toMatchObject([{ rewind: 2 }]);
    hand.subscribed(at(7));
    hand.message(8);
    expect(seen.data()).toEqual([8]);
  });

  it('many times within one turn ends in what was wanted last', () => {
    const { client, server, clock } = withLogServer();
    const seen = collect<number>();
    let subscription = client.channel<number>(CHANNEL).subscribe(seen.handler);
    client.connect();
    clock.advance(10);
    for (let n = 0; n < 9; n++) {
      subscription.unsubscribe();
      subscription = client.channel<number>(CHANNEL).subscribe(seen.handler);
    }
    clock.advance(50);
    server.publish(CHANNEL, 1);
    clock.advance(5);
    expect(seen.data()).toEqual([1]);
    subscription.unsubscribe();
    clock.advance(50);
    expect(server.membersOf(CHANNEL)).toEqual([]);
  });

  it('while disconnected needs nothing of the gateway', () => {
    const hand = byHand();
    const { subscription } = hand.standing(5);
    hand.server.link.cut();
    subscription.unsubscribe();
    hand.clock.advance(1_000);
    expect(hand.server.link.received.map(({ type }) => type)).toEqual(['connect']);
  });

  it('by client.close() ends every subscription', async () => {
    const hand = byHand();
    const { subscription } = hand.standing(5);
    const waiting = hand.client.channel('other').subscribe(() => {});
    const refused = rejectionOf(waiting.ready());
    hand.client.close();
    expect(subscription.state).toBe('unsubscribed');
    expect(await refused).toMatchObject({ code: 'closed' });
    hand.client.connect();
    hand.clock.advance(10);
    expect(hand.subscribes()).toHaveLength(0);
  });
});

describe('a second subscription of a channel', () => {
  it('hears that it is subscribed, before its first message', async () => {
    const { client, server, clock } = withLogServer();
    client.channel(CHANNEL).subscribe(() => {});
    client.connect();
    clock.advance(10);
    const heard: unknown[] = [];
    const listen = () => {
      const subscription = client.channel(CHANNEL).subscribe((message) => heard.push(message.data));
      subscription.on('subscribed', ({ durable, again }) => heard.push({ durable, again }));
      return subscription;
    };
    expect(listen().state).toBe('subscribed');
    await settle();
    expect(heard.splice(0)).toEqual([{ durable: true, again: false }]);
    server.publish(CHANNEL, 'x');
    listen();
    clock.advance(5);
    expect(heard).toEqual(['x', { durable: true, again: false }, 'x']);
    listen().unsubscribe();
    await settle();
    expect(heard).toHaveLength(3);
  });
});

describe('being refused', () => {
  it('for good ends the subscription, and tells it', async () => {
    const hand = byHand();
    const subscription = hand.channel.subscribe(() => {});
    const events = listen(subscription);
    const ready = rejectionOf(subscription.ready());
    hand.tick();
    hand.refuse('forbidden');
    expect(subscription.state).toBe('failed');
    expect(events).toMatchObject([['error', { code: 'forbidden', channel: CHANNEL, retryable: false }]]);
    expect(await ready).toMatchObject({ code: 'forbidden' });
    expect(await rejectionOf(subscription.ready())).toMatchObject({ code: 'forbidden' });
    expect(hand.errors).toEqual([]);
    hand.reconnect();
    expect(hand.subscribes()).toHaveLength(0);
  });

  it('goes to the client where the subscription has no listener', () => {
    const hand = byHand();
    hand.channel.subscribe(() => {});
    hand.tick();
    hand.refuse('unknown_channel');
    expect(hand.errors).toMatchObject([{ code: 'unknown_channel', channel: CHANNEL }]);
  });

  it('for now is tried again, with backoff and not before the time it was told', () => {
    const hand = byHand();
    hand.channel.subscribe(() => {});
    hand.tick();
    hand.refuse('unavailable', { retryable: true, retryAfter: 3_000 });
    hand.clock.advance(2_900);
    expect(hand.subscribes()).toHaveLength(1);
    hand.clock.advance(200);
    expect(hand.subscribes()).toHaveLength(2);
    for (let n = 0; n < 8; n++) {
      hand.refuse('unavailable', { retryable: true });
      hand.clock.advance(20_000);
    }
    expect(hand.subscribes()).toHaveLength(10);
    expect(hand.errors).toEqual([]);
  });

  it('when it resumes makes sure that the gateway lets go', () => {
    const hand = byHand();
    const { subscription } = hand.standing(5);
    hand.message(9);
    hand.refuse('forbidden');
    expect(subscription.state).toBe('failed');
    expect(hand.unsubscribes()).toHaveLength(1);
  });

  it('by the gateway later on ends it too', () => {
    const hand = byHand();
    const { events, subscription } = hand.standing(5);
    hand.server.link.send({ type: 'unsubscribed', channel: CHANNEL, code: 'token_expired', message: 'over' });
    hand.tick();
    expect(subscription.state).toBe('failed');
    expect(events.at(-1)).toMatchObject(['error', { code: 'token_expired', message: 'over' }]);
    expect(hand.unsubscribes()).toHaveLength(0);
  });

  it('by the gateway later on, for now, is tried again', () => {
    const hand = byHand();
    const { subscription } = hand.standing(5);
    hand.server.link.send({ type: 'unsubscribed', channel: CHANNEL, code: 'unavailable' });
    hand.clock.advance(1);
    expect(subscription.state).toBe('subscribing');
    hand.clock.advance(1_000);
    expect(hand.subscribes().slice(1)).toMatchObject([{ since: at(5) }]);
    hand.subscribed(at(5), { recovered: true });
    expect(subscription.state).toBe('subscribed');
  });

  it('and subscribing again from the error listener works', () => {
    const hand = byHand();
    const subscription = hand.channel.subscribe(() => {});
    let again: Subscription<number> | undefined;
    subscription.on('error', () => {
      again = hand.channel.subscribe(() => {});
    });
    hand.tick();
    hand.refuse('forbidden');
    hand.subscribed(at(1));
    expect(again?.state).toBe('subscribed');
  });

  it('as subscribed already leaves first', () => {
    const hand = byHand();
    const subscription = hand.channel.subscribe(() => {});
    hand.tick();
    hand.refuse('already_subscribed');
    hand.clock.advance(600);
    expect(hand.unsubscribes()).toHaveLength(1);
    hand.unsubscribed();
    hand.subscribed(at(3));
    expect(subscription.state).toBe('subscribed');
  });

  it('with silence tries again: leaving first without a position, starting over with one', () => {
    const hand = byHand();
    const subscription = hand.channel.subscribe(() => {});
    hand.tick();
    hand.clock.advance(20_600);
    expect(hand.unsubscribes()).toHaveLength(1);
    hand.unsubscribed();
    hand.subscribed(at(3));
    expect(subscription.state).toBe('subscribed');
    hand.message(9);
    hand.server.pings = false;
    hand.clock.advance(21_200);
    expect(hand.subscribes().slice(-2)).toMatchObject([{ since: at(3) }, { since: at(3) }]);
    expect(hand.unsubscribes()).toHaveLength(1);
  });
});

describe('listeners', () => {
  it('that throw or reject are told as errors and break nothing', async () => {
    const hand = byHand();
    const { subscription, data } = hand.standing(0);
    subscription.on('message', () => {
      throw new Error('no');
    });
    subscription.on('message', async () => {
      throw new Error('later');
    });
    const last = vi.fn();
    const off = subscription.on('message', last);
    hand.message(1);
    await settle();
    expect(hand.errors).toMatchObject([
      { code: 'handler_failed', channel: CHANNEL, cause: { message: 'no' } },
      { code: 'handler_failed', channel: CHANNEL, cause: { message: 'later' } },
    ] satisfies Partial<FanfareClientError>[]);
    expect(last).toHaveBeenCalledTimes(1);
    off();
    hand.message(2);
    expect(last).toHaveBeenCalledTimes(1);
    expect(data()).toEqual([1, 2]);
  });

  it('may close the client in the middle of a message', () => {
    const hand = byHand();
    const { subscription } = hand.standing(0);
    subscription.on('message', () => hand.client.close());
    const second = collect<number>();
    hand.channel.subscribe(second.handler);
    hand.message(1);
    expect(second.data()).toEqual([]);
    expect(hand.errors).toEqual([]);
  });
});
