import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { collect, rejectionOf, withLogServer } from '../../test/support.js';
import { createClient, type FanfareClientError } from '../index.js';
import { LogServer, settle, VirtualClock } from '../testing/index.js';
import { defineChannels, durable, live } from './define.js';
import { keyOf } from './patterns.js';

const Chat = z.object({ text: z.string(), at: z.string().transform((text) => new Date(text)) });
const channels = defineChannels({
  'chat:*': durable(Chat),
  'chat:vip:*': durable(v.object({ level: v.picklist(['gold', 'black']) })),
  'chat:lobby': durable<{ motd: string }>(),
  'live:*': live(type({ price: 'number' })),
  system: z.object({ notice: z.string() }),
});

function withMap(options: { validate?: 'both' | 'read' | 'none' } = {}) {
  const clock = new VirtualClock();
  const server = new LogServer({ clock });
  const client = createClient({ url: 'ws://fake', clock, socket: server.socket, channels, ...options });
  const errors: FanfareClientError[] = [];
  client.on('error', (error) => errors.push(error));
  client.connect();
  return { clock, server, client, errors };
}

const AT = '2026-01-01T00:00:00.000Z';

describe('the key of a name', () => {
  it.each([
    ['chat:1', 'chat:*'],
    ['chat:vip:1', 'chat:vip:*'],
    ['chat:vip', 'chat:*'],
    ['chat:lobby', 'chat:lobby'],
    ['chat:lobby2', 'chat:*'],
    ['system', 'system'],
    ['systems', undefined],
    ['constructor', undefined],
  ])('of %s is %s', (name, key) => {
    expect(keyOf(Object.keys(channels), name)).toBe(key);
  });
});

describe('a client with a map of channels', () => {
  it('gives readers what their schema makes of data, whichever library it is of', () => {
    const { clock, server, client, errors } = withMap();
    const [chat, vip, lobby, price, system] = [collect(), collect(), collect(), collect(), collect()];
    client.channel('chat:1').subscribe(chat.handler);
    client.channel('chat:vip:1').subscribe(vip.handler);
    client.channel('chat:lobby').subscribe(lobby.handler);
    client.channel('live:AAPL').subscribe(price.handler);
    client.channel('system').subscribe(system.handler);
    clock.advance(100);
    server.publish('chat:1', { text: 'hi', at: AT });
    server.publish('chat:vip:1', { level: 'gold', extra: 1 });
    server.publish('chat:lobby', { motd: 'as it comes', more: 2 });
    server.publish('live:AAPL', { price: 3 });
    server.publish('system', { notice: 'x' });
    clock.advance(100);
    expect(chat.data()).toEqual([{ text: 'hi', at: new Date(AT) }]);
    expect([vip, lobby, price, system].map((one) => one.data())).toEqual([
      [{ level: 'gold' }],
      [{ motd: 'as it comes', more: 2 }],
      [{ price: 3 }],
      [{ notice: 'x' }],
    ]);
    expect(errors).toEqual([]);
  });

  it('tells data that the schema refuses by `invalid`, and goes on after it', () => {
    const { clock, server, client, errors } = withMap();
    const { handler, data } = collect();
    const subscription = client.channel('system').subscribe(handler);
    const invalid: unknown[] = [];
    subscription.on('invalid', ({ message, issues }) => invalid.push(message.data, issues[0]?.path));
    clock.advance(100);
    server.publish('system', { notice: 1 });
    server.publish('system', { notice: 'x' });
    clock.advance(100);
    expect(data()).toEqual([{ notice: 'x' }]);
    expect(invalid).toEqual([{ notice: 1 }, ['notice']]);
    expect([subscription.position?.offset, errors]).toEqual([2, []]);
  });

  it('tells it by `error` where nobody listens, also of history', async () => {
    const { clock, server, client, errors } = withMap();
    client.channel('system').subscribe(() => {});
    clock.advance(100);
    server.publish('system', { notice: 1 });
    server.publish('system', { notice: 'x' });
    clock.advance(100);
    const page = client.channel('system').history();
    clock.advance(100);
    expect((await page).messages.map(({ data }) => data)).toEqual([{ notice: 'x' }]);
    expect(errors.map(({ code, channel, issues }) => [code, channel, issues?.length])).toEqual([
      ['invalid_data', 'system', 1],
      ['invalid_data', 'system', 1],
    ]);
    expect(errors[0]?.message).toMatch(/^data of system is invalid: notice: /);
  });

  it('refuses to publish what readers would refuse, and sends the input as it is', async () => {
    const { clock, server, client } = withMap();
    const error = await rejectionOf(client.channel('chat:1').publish({ text: 1 } as never));
    expect(error).toMatchObject({ code: 'invalid_data', channel: 'chat:1', retryable: false });
    const published = client.channel('chat:1').publish({ text: 'hi', at: AT });
    clock.advance(100);
    await published;
    expect(server.log('chat:1').entries.map(({ data }) => data)).toEqual([{ text: 'hi', at: AT }]);
  });

  it('checks only what is read, or nothing, where that was chosen', async () => {
    for (const [validate, seen] of [
      ['read', []],
      ['none', [{ notice: 1 }]],
    ] as const) {
      const { clock, client } = withMap({ validate });
      const { handler, data } = collect();
      client.channel('system').subscribe(handler);
      clock.advance(100);
      void client.channel('system').publish({ notice: 1 } as never);
      await settle();
      clock.advance(100);
      expect(data()).toEqual(seen);
    }
  });

  it('says that a schema is asynchronous, with every message', () => {
    const clock = new VirtualClock();
    const server = new LogServer({ clock });
    const async = z.object({}).refine(async () => true);
    const vague = { '~standard': { ...async['~standard'], validate: async () => ({ value: 1 }) } };
    const client = createClient({
      url: 'ws://fake',
      clock,
      socket: server.socket,
      channels: defineChannels({ a: vague }),
    });
    const errors: string[] = [];
    client.on('error', ({ message }) => errors.push(message));
    client.channel('a').subscribe(() => {});
    client.connect();
    clock.advance(100);
    server.publish('a', {});
    clock.advance(100);
    expect(errors).toEqual(['data of a is invalid: the schema is not synchronous']);
  });

  it('says that the gateway has a channel of another kind', () => {
    const { server, clock } = withMap();
    const map = defineChannels({ 'live:*': durable<number>(), b: live<number>() });
    const client = createClient({ url: 'ws://fake', clock, socket: server.socket, channels: map });
    const errors: string[] = [];
    client.on('error', ({ code, message }) => errors.push(code, message));
    client.channel('live:x').subscribe(() => {});
    client.channel('b').subscribe(() => {});
    client.connect();
    clock.advance(100);
    expect(errors).toEqual([
      'wrong_kind',
      'live:x is live at the gateway and was declared durable',
      'wrong_kind',
      'b is durable at the gateway and was declared live',
    ]);
  });

  it('knows the kind, completes patterns, and refuses names that nothing or something else fits', () => {
    const { client } = withMap();
    expect([client.channel('live:1').kind, client.channel('system').kind]).toEqual(['live', 'durable']);
    expect(client.channel('chat:*', '7').name).toBe('chat:7');
    expect(() => client.channel('chat:*', 'vip:7')).toThrow('chat:vip:7 is a channel of chat:vip:*, not of chat:*');
    expect(() => client.channel('nothing' as 'system')).toThrow('no channel of the map fits nothing');
    expect(client.untyped('nothing').name).toBe('nothing');
  });

  it('is refused a map that no defineChannels made, and that a `*` in the middle of a key', () => {
    expect(() => createClient({ url: 'ws://host', channels: { a: durable<string>() } })).toThrow('defineChannels');
    expect(() => defineChannels({ 'a:*:b': durable<string>() } as never)).toThrow(
      'a * may stand at the end only: a:*:b',
    );
  });
});

describe('events()', () => {
  it('has messages, resets and the rest in the order in which they happened', async () => {
    const { clock, server, client } = withLogServer();
    const subscription = client.channel('a').subscribe();
    client.connect();
    clock.advance(100);
    for (const n of [1, 2]) server.publish('a', n);
    clock.advance(100);
    server.takeOver('a', 1);
    server.publish('a', 3);
    clock.advance(100);
    const told: unknown[] = [];
    for await (const { type, event } of subscription.events()) {
      told.push(type === 'message' ? event.data : type === 'reset' ? event.reason : type);
      if (type === 'message' && event.data === 3) break;
    }
    expect(told).toEqual(['subscribed', 1, 2, 'diverged', 3]);
    expect(subscription.state).toBe('unsubscribed');
  });

  it('throws why the subscription failed, after what came before', async () => {
    const { clock, server, client } = withLogServer();
    server.onFrame = (frame, link) => {
      if (frame.type === 'subscribe')
        link.send({ type: 'error', id: frame.id, code: 'forbidden', message: 'no', retryable: false });
    };
    const subscription = client.channel('a').subscribe();
    subscription.on('error', () => {});
    client.connect();
    const events = subscription.events()[Symbol.asyncIterator]();
    const next = rejectionOf(events.next());
    clock.advance(100);
    expect(await next).toMatchObject({ code: 'forbidden' });
  });

  it('and a loop of messages exclude each other', () => {
    const { client } = withLogServer();
    const [one, other] = [client.channel('a').subscribe(), client.channel('b').subscribe()];
    one.events();
    expect(() => one[Symbol.asyncIterator]()).toThrow('read as events already');
    other[Symbol.asyncIterator]();
    expect(() => other.events()).toThrow('read as messages already');
  });
});
