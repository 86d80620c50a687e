import { describe, expect, it } from 'vitest';
import { collect, rejectionOf, withFakeServer, withLogServer } from '../test/support.js';
import type { Message } from './index.js';
import { settle } from './testing/index.js';

const CHANNEL = 'chat:1';
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

function start(options: Parameters<typeof withLogServer>[0] = {}) {
  const setup = withLogServer(options);
  setup.client.connect();
  setup.clock.advance(10);
  return {
    ...setup,
    channel: setup.client.channel<number>(CHANNEL),
    async publish(channel: string, ...data: number[]) {
      for (const value of data) setup.server.publish(channel, value);
      setup.clock.advance(10);
      await settle();
    },
    /** Reads `count` messages, letting time pass for each. */
    async read(iterator: AsyncIterator<Message<number>>, count: number): Promise<number[]> {
      const seen: number[] = [];
      for (let n = 0; n < count; n++) {
        void iterator.next().then(({ value }) => value && seen.push(value.data));
        setup.clock.advance(10);
        await settle();
      }
      return seen;
    },
  };
}

describe('for await', () => {
  it('reads messages as they come, and ends with the subscription', async () => {
    const { channel, clock, publish } = start();
    const subscription = channel.subscribe();
    clock.advance(10);
    const seen: number[] = [];
    const loop = (async () => {
      for await (const { data } of subscription) seen.push(data);
    })();
    await publish(CHANNEL, 1, 2);
    expect(seen).toEqual([1, 2]);
    await publish(CHANNEL, 3);
    subscription.unsubscribe();
    await loop;
    expect(seen).toEqual([1, 2, 3]);
  });

  it('gets what came before it began', async () => {
    const { channel, clock, publish, read } = start();
    const subscription = channel.subscribe();
    clock.advance(10);
    await publish(CHANNEL, 1, 2);
    expect(await read(subscription[Symbol.asyncIterator](), 2)).toEqual([1, 2]);
  });

  it('left by break ends the subscription', async () => {
    const { channel, clock, publish, server } = start();
    const subscription = channel.subscribe();
    clock.advance(10);
    await publish(CHANNEL, 1, 2);
    for await (const { data } of subscription) if (data === 1) break;
    expect(subscription.state).toBe('unsubscribed');
    clock.advance(10);
    expect(server.membersOf(CHANNEL)).toEqual([]);
  });

  it('that is too slow pauses, and gets the rest from the log, all of it and once', async () => {
    const { channel, clock, publish, read, server } = start();
    const subscription = channel.subscribe(undefined, { maxQueue: 4 });
    clock.advance(10);
    await publish(CHANNEL, ...range(1, 20));
    expect(subscription).toMatchObject({ state: 'paused', position: { offset: 4 } });
    expect(server.membersOf(CHANNEL)).toEqual([]);
    const iterator = subscription[Symbol.asyncIterator]();
    expect(await read(iterator, 20)).toEqual(range(1, 20));
    await publish(CHANNEL, 21);
    expect(await read(iterator, 1)).toEqual([21]);
    expect(subscription.state).toBe('subscribed');
  });

  it('that is too slow does not hold up other readers of the channel', async () => {
    const { channel, clock, publish, read, client } = start();
    const fast = collect<number>();
    channel.subscribe(fast.handler);
    const slow = channel.subscribe(undefined, { maxQueue: 4 });
    clock.advance(10);
    await publish(CHANNEL, ...range(1, 20));
    expect(fast.data()).toEqual(range(1, 20));
    expect(slow.state).toBe('paused');
    expect(await read(slow[Symbol.asyncIterator](), 20)).toEqual(range(1, 20));
    await publish(CHANNEL, 21);
    expect(fast.data()).toEqual(range(1, 21));
    expect(client.stats.resets).toBe(0);
  });

  it('that has paused leaves its start to itself: who comes then begins at the end', async () => {
    const { channel, clock, publish, server } = start();
    for (const n of range(1, 5)) server.publish(CHANNEL, n);
    const slow = channel.subscribe(undefined, { maxQueue: 2, rewind: 4 });
    clock.advance(20);
    expect(slow).toMatchObject({ state: 'paused', position: { offset: 3 } });
    const late = collect<number>();
    channel.subscribe(late.handler);
    clock.advance(20);
    await publish(CHANNEL, 6);
    expect(late.data()).toEqual([6]);
  });

  it('that reads on after unsubscribing does not disturb the others', async () => {
    const { channel, clock, publish, read, server, client } = start();
    const other = channel.subscribe(() => {});
    const slow = channel.subscribe(undefined, { maxQueue: 2 });
    clock.advance(10);
    await publish(CHANNEL, ...range(1, 5));
    slow.unsubscribe();
    expect(await read(slow[Symbol.asyncIterator](), 5)).toEqual([1, 2]);
    expect(slow.state).toBe('unsubscribed');
    expect(other.position?.offset).toBe(5);
    expect(server.link.sent('subscribe')).toHaveLength(1);
    expect(client.stats.duplicatesDropped).toBe(0);
  });

  it('stays paused through a lost connection', async () => {
    const { channel, clock, publish, read, server } = start();
    const subscription = channel.subscribe(undefined, { maxQueue: 2 });
    clock.advance(10);
    await publish(CHANNEL, ...range(1, 5));
    server.link.cut();
    clock.advance(1_000);
    expect(subscription.state).toBe('paused');
    expect(server.link.sent('subscribe')).toEqual([]);
    expect(await read(subscription[Symbol.asyncIterator](), 5)).toEqual(range(1, 5));
  });

  it('that paused says that it is subscribed again, where another reader has brought the channel back', async () => {
    const { channel, clock, publish, read, server } = start();
    channel.subscribe(() => {});
    const slow = channel.subscribe(undefined, { maxQueue: 2 });
    const told: string[] = [];
    for (const name of ['subscribed', 'recovered'] as const) slow.on(name, () => told.push(name));
    clock.advance(10);
    await publish(CHANNEL, 1, 2);
    server.link.cut();
    clock.advance(1_000);
    expect([slow.state, told]).toEqual(['paused', ['subscribed']]);
    expect(await read(slow[Symbol.asyncIterator](), 2)).toEqual([1, 2]);
    expect([slow.state, told]).toEqual(['subscribed', ['subscribed', 'subscribed', 'recovered']]);
    await slow.ready();
    // Everything that came while it paused was here already, so nothing had to be asked for.
    expect(server.link.sent('subscribe')).toHaveLength(1);
  });

  it('on a live channel drops the oldest, and says so once a time', async () => {
    const { client, clock, publish, read } = start();
    const subscription = client.channel<number>('live:x').subscribe(undefined, { maxQueue: 3 });
    const lagged: unknown[] = [];
    subscription.on('lagged', (event) => lagged.push(event));
    clock.advance(10);
    await publish('live:x', ...range(1, 10));
    expect(lagged).toEqual([{ missed: true }]);
    const iterator = subscription[Symbol.asyncIterator]();
    expect(await read(iterator, 3)).toEqual([8, 9, 10]);
    await publish('live:x', ...range(11, 20));
    expect(lagged).toHaveLength(2);
  });

  it('finds `lagged` where messages of a live channel are missing, each time', async () => {
    const { client, clock, publish } = start();
    const events = client
      .channel<number>('live:x')
      .subscribe(undefined, { maxQueue: 4 })
      .events()
      [Symbol.asyncIterator]();
    const read = async (count: number) => {
      const told: unknown[] = [];
      for (let i = 0; i < count; i++) {
        const { value } = await events.next();
        told.push(value.type === 'message' ? value.event.data : value.type);
      }
      return told;
    };
    clock.advance(10);
    await publish('live:x', ...range(1, 7));
    expect(await read(3)).toEqual(['subscribed', 'lagged', 4]);
    await publish('live:x', 8, 9);
    expect(await read(3)).toEqual(['lagged', 6, 7]);
    await publish('live:x', ...range(10, 13));
    expect(await read(5)).toEqual(['lagged', 10, 11, 12, 13]);
  });

  it('throws what ended the subscription, after what came before', async () => {
    const { server, client, clock } = withFakeServer();
    client.connect();
    const subscription = client.channel<number>(CHANNEL).subscribe();
    subscription.on('error', () => {});
    clock.advance(10);
    const id = server.link.sent('subscribe')[0]?.id;
    server.link.send({ type: 'subscribed', id, channel: CHANNEL, durable: false });
    server.link.send({ type: 'message', channel: CHANNEL, data: 1, time: 1 });
    server.link.send({ type: 'unsubscribed', channel: CHANNEL, code: 'forbidden', message: 'revoked' });
    clock.advance(10);
    const iterator = subscription[Symbol.asyncIterator]();
    expect(await iterator.next()).toMatchObject({ value: { data: 1 } });
    expect(await rejectionOf(iterator.next())).toMatchObject({ code: 'forbidden', message: 'revoked' });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  it('throws when the connection is refused for good, and a new loop goes on after connect()', async () => {
    const { channel, clock, publish, client, server, read } = start();
    const subscription = channel.subscribe();
    clock.advance(10);
    const failed = rejectionOf(subscription[Symbol.asyncIterator]().next());
    server.link.close(4403);
    clock.advance(10);
    expect(await failed).toMatchObject({ code: 'forbidden' });
    await publish(CHANNEL, 1);
    client.connect();
    clock.advance(20);
    expect(await read(subscription[Symbol.asyncIterator](), 1)).toEqual([1]);
  });

  it.each([
    ['failed', 'forbidden'],
    ['closed', 'closed'],
  ])('and ready() throw at once while the client is %s, until connect()', async (state, code) => {
    const { channel, clock, client, server, publish, read, errors } = start();
    if (state === 'failed') server.link.close(4403);
    else client.close();
    clock.advance(10);
    expect(client.state).toBe(state);
    expect(errors.map((error) => error.code)).toEqual(state === 'failed' ? ['forbidden'] : []);
    const subscription = channel.subscribe();
    const handled = channel.subscribe(() => {});
    for (let n = 0; n < 2; n++) {
      expect(await rejectionOf(subscription[Symbol.asyncIterator]().next())).toMatchObject({ code });
      expect(await rejectionOf(subscription.ready())).toMatchObject({ code });
      expect(await rejectionOf(handled[Symbol.asyncIterator]().next())).toMatchObject({ code });
    }
    expect(clock.pending).toBeLessThanOrEqual(1);
    client.connect();
    const ready = subscription.ready();
    clock.advance(20);
    await ready;
    await publish(CHANNEL, 1);
    expect(await read(subscription[Symbol.asyncIterator](), 1)).toEqual([1]);
  });

  it('ends when the client is closed', async () => {
    const { channel, client } = start();
    const iterator = channel.subscribe()[Symbol.asyncIterator]();
    const next = iterator.next();
    client.close();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it('of a subscription that has ended ends at once', async () => {
    const { channel } = start();
    const subscription = channel.subscribe(() => {});
    subscription.unsubscribe();
    expect(await subscription[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });

  it('may ask for several at once', async () => {
    const { channel, clock, publish } = start();
    const iterator = channel.subscribe()[Symbol.asyncIterator]();
    clock.advance(10);
    const asked = Promise.all([iterator.next(), iterator.next()]);
    await publish(CHANNEL, 1, 2);
    expect((await asked).map(({ value }) => value?.data)).toEqual([1, 2]);
  });
});

describe('a subscription without a handler', () => {
  it('hands what waits to the first listener, and never pauses then', async () => {
    const { channel, clock, publish } = start();
    const subscription = channel.subscribe(undefined, { maxQueue: 2 });
    clock.advance(10);
    await publish(CHANNEL, 1, 2, 3);
    expect(subscription.state).toBe('paused');
    const seen = collect<number>();
    subscription.on('message', seen.handler);
    clock.advance(10);
    await publish(CHANNEL, ...range(4, 20));
    expect(seen.data()).toEqual(range(1, 20));
    expect(subscription.state).toBe('subscribed');
  });
});
