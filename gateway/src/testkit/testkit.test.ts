import { defineChannels, durable, live, type Message } from '@fanfare/client';
import { describe, expect, it } from 'vitest';
import { createTestGateway, underFaults } from './index.js';

const channels = defineChannels({ 'chat:*': durable<string>(), 'cursor:*': live<number>() });
const aGateway = (seed = 1) => createTestGateway({ channels, seed });

/** A client with a subscription, and what it was given. */
async function aReader(gateway = aGateway(), user?: string) {
  const client = gateway.client(user === undefined ? {} : { user });
  const seen: string[] = [];
  const resets: string[] = [];
  const errors: string[] = [];
  client.on('error', ({ code }) => errors.push(code));
  const subscription = client.channel('chat:1').subscribe(({ data }) => seen.push(data));
  subscription.on('reset', ({ reason }) => resets.push(reason));
  await gateway.run(10);
  return { gateway, client, subscription, seen, resets, errors };
}

describe('a test gateway', () => {
  it('is there for clients, backends and the log, on a clock that stands still', async () => {
    const { gateway, client, seen, subscription } = await aReader();
    const before = gateway.now;
    const position = gateway.publish('chat:1', 'from a backend', { key: 'k', user: 'ada' });
    expect(gateway.publish('chat:1', 'again', { key: 'k' })).toEqual(position);
    expect(seen).toEqual([]);
    const published = client.channel('chat:1').publish('from a client');
    await gateway.run(10);
    expect(await published).toMatchObject({ offset: 2, epoch: position?.epoch });
    expect(seen).toEqual(['from a backend', 'from a client']);
    const { messages, head } = gateway.log('chat:1');
    expect([messages.map(({ data }) => data), head]).toEqual([seen, subscription.position]);
    expect(gateway.now).toBe(before + 10);
    gateway.audit();
  });

  it('knows the channels of the map alone, and which of them are live', async () => {
    const gateway = aGateway();
    const client = gateway.client();
    const cursors: number[] = [];
    client.channel('cursor:1').subscribe(({ data }) => cursors.push(data));
    const none = client
      .untyped('nothing:1')
      .publish(1)
      .catch(({ code }) => code);
    await gateway.run(10);
    expect(gateway.publish('cursor:1', 7)).toBeUndefined();
    await gateway.run(10);
    expect([cursors, await none]).toEqual([[7], 'unknown_channel']);
  });

  it('has presence and users', async () => {
    const gateway = aGateway();
    const { presence } = gateway
      .client({ user: 'ada' })
      .channel('chat:1')
      .subscribe(() => {}, { presence: true });
    gateway
      .client({ user: 'bob' })
      .channel('chat:1')
      .subscribe(() => {}, { presence: true });
    await gateway.run(1_000);
    expect(presence.members.map(({ user }) => user).sort()).toEqual(['ada', 'bob']);
  });
});

it('a client that answers no ping is closed, and one that does is not', async () => {
  const gateway = aGateway();
  const ends: number[] = [];
  const connect = { type: 'connect', id: 1 };
  const socket = gateway.socket(
    { url: 'ws://test/ws', subprotocols: ['fanfare.json.v1'] },
    {
      onOpen: () => socket.send(JSON.stringify(connect)),
      onMessage: () => {},
      onClose: (code) => ends.push(code),
    },
  );
  const client = gateway.client();
  await gateway.run(20_000);
  expect(ends).toEqual([]);
  await gateway.run(40_000);
  expect([ends, client.state, client.stats.reconnects]).toEqual([[4002], 'connected', 0]);
});

describe('faults', () => {
  it('cut: everything is there again after it', async () => {
    const { gateway, client, seen } = await aReader();
    gateway.faults.cut({ forMs: 2_000 });
    await gateway.run(10);
    expect(client.state).toBe('waiting');
    gateway.publish('chat:1', 'meanwhile');
    await gateway.run(1_900);
    expect(seen).toEqual([]);
    await gateway.calm();
    expect([client.state, seen]).toEqual(['connected', ['meanwhile']]);
    gateway.audit();
  });

  it('dark: nobody is told, and what was sent arrives when it is light, or is fetched', async () => {
    const { gateway, client, seen } = await aReader();
    gateway.faults.dark({ forMs: 3_000 });
    gateway.publish('chat:1', 'in the dark');
    await gateway.run(2_900);
    expect([client.state, seen]).toEqual(['connected', []]);
    await gateway.run(200);
    expect(seen).toEqual(['in the dark']);
    gateway.faults.dark();
    await gateway.run(60_000);
    expect(client.state).not.toBe('connected');
    await gateway.calm();
    expect(client.state).toBe('connected');
  });

  it('slow: a reader that cannot keep up gets the rest from the log', async () => {
    const { gateway, client, seen } = await aReader();
    gateway.faults.slow({ bytesPerSecond: 100_000 });
    for (let n = 0; n < 200; n++) {
      gateway.publish('chat:1', 'x'.repeat(10_000));
      await gateway.run(1);
    }
    expect(seen.length).toBeLessThan(20);
    await gateway.run(60_000);
    expect([seen.length, client.stats.lagged]).toEqual([200, 1]);
    gateway.audit();
  });

  it('expire and failover: who stands there is told', async () => {
    const { gateway, seen, resets } = await aReader();
    gateway.publish('chat:1', 'a');
    gateway.publish('chat:1', 'b');
    await gateway.run(10);
    gateway.faults.failover('chat:1', 1);
    gateway.publish('chat:1', 'c');
    await gateway.run(3_000);
    expect([seen, resets]).toEqual([['a', 'b', 'c'], ['diverged']]);
    gateway.faults.cut({ forMs: 1_000 });
    for (const data of ['d', 'e', 'f']) gateway.publish('chat:1', data);
    gateway.faults.expire('chat:1', 1);
    await gateway.calm();
    expect([seen, resets]).toEqual([
      ['a', 'b', 'c', 'f'],
      ['diverged', 'expired'],
    ]);
    gateway.audit();
  });

  it('refuse: the next requests of a kind, with any code', async () => {
    const { gateway, client } = await aReader();
    gateway.faults.refuse({ type: 'publish', code: 'forbidden' });
    gateway.faults.refuse({ type: 'publish', code: 'unavailable', times: 2 });
    const [refused, passed] = ['a', 'b'].map((data) => client.channel('chat:1').publish(data));
    const code = refused?.catch((error) => error.code);
    await gateway.run(10_000);
    expect([await code, (await passed)?.offset]).toEqual(['forbidden', 1]);
    gateway.faults.refuse({ type: 'connect', code: 'unauthorized' });
    const other = gateway.client();
    other.on('error', () => {});
    await gateway.run(10);
    expect(other.state).toBe('failed');
  });

  it('expireToken and drain: clients come back, with a new token', async () => {
    const { gateway, client, seen, errors } = await aReader(aGateway(), 'ada');
    const { session } = client.session ?? {};
    await gateway.run(20_000);
    gateway.faults.expireToken('ada');
    await gateway.run(2_000);
    expect(client.session?.user).toBe('ada');
    expect(client.session?.session).not.toBe(session);
    gateway.faults.drain(1_000);
    await gateway.run(10);
    expect(client.state).toBe('waiting');
    gateway.publish('chat:1', 'meanwhile');
    await gateway.run(1_100);
    expect([seen, errors]).toEqual([['meanwhile'], []]);
  });

  it('strike whom they are meant for', async () => {
    const gateway = aGateway();
    const [ada, bob] = [await aReader(gateway, 'ada'), await aReader(gateway, 'bob')];
    gateway.faults.cut({ user: 'ada', forMs: 1_000 });
    gateway.publish('chat:1', 'one');
    await gateway.run(10);
    expect([ada.seen, bob.seen]).toEqual([[], ['one']]);
  });
});

describe('an audit', () => {
  it('is content with handlers, loops, states and names', async () => {
    const { gateway, client } = await aReader();
    const chat = client.channel('chat:1');
    const looped: unknown[] = [];
    void (async () => {
      for await (const { data } of chat.subscribe()) looped.push(data);
    })();
    void (async () => {
      for await (const { type } of chat.subscribe().events()) looped.push(type);
    })();
    const state = chat.state({
      load: async () => {
        const { messages, head } = gateway.log('chat:1');
        return { state: messages.length, position: head };
      },
      apply: (count) => count + 1,
    });
    await gateway.run(10);
    for (const data of ['a', 'b']) gateway.publish('chat:1', data);
    await gateway.run(10);
    gateway.faults.failover('chat:1', 1);
    gateway.publish('chat:1', 'c');
    await gateway.calm();
    expect([looped.length, state.current]).toEqual([8, 2]);
    gateway.audit();
  });

  it('finds a message that was left out, and one that has not come', async () => {
    const { gateway, client } = await aReader();
    // What no gateway does: the tail of the log is there, and nobody was told.
    gateway.publish('chat:1', 'a');
    await gateway.run(10);
    gateway.faults.dark();
    gateway.publish('chat:1', 'b');
    expect(() => gateway.audit()).toThrow(/client 1 on chat:1: stands at .*-1, and the log goes on to 2/);
    client.close();
    gateway.audit();
  });
});

describe('underFaults', () => {
  it('plays an application that keeps its promises through all faults', { timeout: 120_000 }, async () => {
    let struck = 0;
    await underFaults({ channels, runs: 60 }, async (gateway) => {
      const reader = gateway.client({ user: 'ada' });
      const writer = gateway.client({ user: 'bob' });
      const state = reader.channel('chat:1').state({
        load: async () => {
          const { messages, head } = gateway.log('chat:1');
          return { state: messages.map(({ data }) => String(data)), position: head };
        },
        apply: (list: string[], { data }: Message<string>) => [...list, data],
      });
      reader.channel('chat:1').subscribe(() => {});
      for (let n = 0; n < 20; n++) {
        writer
          .channel('chat:1')
          .publish(`w${n}`)
          .catch(() => {});
        gateway.publish('chat:1', `b${n}`);
        await gateway.run(500);
        if (state.status !== 'live') struck++;
      }
      await gateway.calm();
      const all = gateway.log('chat:1').messages.map(({ data }) => data);
      // Retention may have taken the beginning, which the state keeps.
      expect(state.status).toBe('live');
      expect(state.current?.slice(-all.length)).toEqual(all.length === 0 ? state.current : all);
    });
    expect(struck).toBeGreaterThan(50);
  });

  it('prints the seed that broke an application, and the faults in it; the same seed breaks it again', async () => {
    // One that never heard of resets.
    const naive = async (gateway: ReturnType<typeof aGateway>) => {
      const seen: unknown[] = [];
      gateway
        .client()
        .channel('chat:1')
        .subscribe(({ data }) => seen.push(data));
      await gateway.run(10);
      for (let n = 0; n < 10; n++) {
        gateway.publish('chat:1', String(n));
        await gateway.run(1_000);
      }
      await gateway.calm();
      expect(seen).toEqual(gateway.log('chat:1').messages.map(({ data }) => data));
    };
    const broken = await underFaults({ channels, runs: 50, faults: ['cut', 'failover'] }, naive).catch(
      (error) => error,
    );
    expect(broken.message).toMatch(/^seed \d+ broke it: /);
    expect(broken.message).toMatch(/\n {2}\d+ failover\("chat:1", \d\)/);
    const seed = Number(/\d+/.exec(broken.message)?.[0]);
    const again = await underFaults({ channels, seed, runs: 1, faults: ['cut', 'failover'] }, naive).catch(
      (error) => error,
    );
    const faultsOf = ({ message }: Error) => message.slice(message.indexOf('\nplay it'));
    expect(faultsOf(again)).toBe(faultsOf(broken));
  });
});
