import { describe, expect, it, vi } from 'vitest';
import { rejectionOf } from '../test/support.js';
import { type ClientOptions, createClient, type FanfareClientError, type Message } from './index.js';
import { customPositions, type PositionStore, type StoredPosition } from './positions.js';
import { LogServer, settle, VirtualClock } from './testing/index.js';

const CHANNEL = 'jobs:1';

/** A gateway, a store, and pages that come and go. */
function aDevice() {
  const clock = new VirtualClock();
  const server = new LogServer({ clock });
  const kept = new Map<string, StoredPosition>();
  const store: PositionStore = {
    load: (id) => kept.get(id),
    save: (id, position) => void kept.set(id, position),
    remove: (id) => kept.delete(id),
    ids: (prefix) => [...kept.keys()].filter((id) => id.startsWith(prefix)),
  };
  const errors: FanfareClientError[] = [];
  const run = async (ms = 10) => {
    for (let step = 0; step < 5; step++) {
      await settle();
      clock.advance(ms / 5);
    }
    await settle();
  };
  const open = (options: Partial<ClientOptions> = {}, from = store) => {
    const client = createClient({
      url: 'ws://fake',
      clock,
      socket: server.socket,
      positions: customPositions(from),
      ...options,
    });
    client.on('error', (error) => errors.push(error));
    client.connect();
    return client;
  };
  const publish = (...data: unknown[]) => {
    for (const each of data) server.publish(CHANNEL, each);
  };
  const login = (user: string | undefined) => {
    const { user: _, ...others } = server.welcome;
    server.welcome = { ...others, ...(user !== undefined && { user }) };
  };
  return { clock, server, kept, store, errors, run, open, publish, login };
}

/** A handler whose calls the test ends by hand. */
function byHand() {
  const calls: { data: unknown; done: () => void; fail: () => void }[] = [];
  const handler = ({ data }: Message) =>
    new Promise<void>((done, reject) => calls.push({ data, done, fail: () => reject(new Error('no')) }));
  return { handler, calls, data: () => calls.map(({ data }) => data) };
}

describe('a named subscription', () => {
  it('goes on after the last message that was dealt with, also when none was', async () => {
    const { open, run, publish } = aDevice();
    const seen: unknown[] = [];
    const page = async (...during: unknown[]) => {
      const client = open();
      client.channel(CHANNEL).subscribe(({ data }) => seen.push(data), { resumeAs: 'worker' });
      await run();
      publish(...during);
      await run();
      client.close();
      await run();
    };
    publish('before');
    await page();
    publish(1);
    await page(2, 3);
    publish(4, 5);
    await page();
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('hands out one message at a time, and keeps only what its handler is done with', async () => {
    const { open, run, publish } = aDevice();
    const first = byHand();
    const client = open();
    const subscription = client.channel(CHANNEL).subscribe(first.handler, { resumeAs: 'worker' });
    await run();
    publish(1, 2, 3);
    await run();
    expect(first.data()).toEqual([1]);
    first.calls[0]?.done();
    await run(300);
    expect(first.data()).toEqual([1, 2]);
    // What is being handled when the page leaves is not done.
    subscription.unsubscribe();
    first.calls[1]?.done();
    await run(300);
    const second = byHand();
    client.channel(CHANNEL).subscribe(second.handler, { resumeAs: 'worker' });
    await run();
    expect(second.data()).toEqual([2]);
  });

  it('neither skips nor overtakes a message on which its handler failed', async () => {
    const { open, run, publish, errors, kept } = aDevice();
    const { handler, calls, data } = byHand();
    open().channel(CHANNEL).subscribe(handler, { resumeAs: 'worker' });
    await run();
    publish('a', 'b');
    await run();
    calls[0]?.fail();
    await run(600);
    calls[1]?.fail();
    await run(1_100);
    expect(data()).toEqual(['a', 'a', 'a']);
    expect([...kept.values()].map(({ offset }) => offset)).toEqual([0]);
    calls[2]?.done();
    await run(300);
    expect(data()).toEqual(['a', 'a', 'a', 'b']);
    expect([...kept.values()].map(({ offset }) => offset)).toEqual([1]);
    expect(errors.map(({ code }) => code)).toEqual(['handler_failed', 'handler_failed']);
  });

  it('asks a handler that was taken away no more, and leaves what it failed on to the next one', async () => {
    const { open, run, publish, kept } = aDevice();
    const [failing, later] = [byHand(), byHand()];
    const subscription = open().channel(CHANNEL).subscribe({ resumeAs: 'worker' });
    const off = subscription.on('message', failing.handler);
    await run();
    publish('a');
    await run();
    failing.calls[0]?.fail();
    off();
    await run(1_000);
    expect(failing.data()).toEqual(['a']);
    subscription.on('message', later.handler);
    // A handler that was removed already removes nothing else with it.
    off();
    await run();
    later.calls[0]?.done();
    await run(300);
    expect(later.data()).toEqual(['a']);
    expect([...kept.values()].map(({ offset }) => offset)).toEqual([1]);
  });

  it('read by a loop keeps a message once the loop asks for the next', async () => {
    const { open, run, publish, kept } = aDevice();
    const subscription = open().channel<number>(CHANNEL).subscribe({ resumeAs: 'worker' });
    const messages = subscription[Symbol.asyncIterator]();
    const offsets = () => [...kept.values()].map(({ offset }) => offset);
    const read = messages.next();
    await run();
    publish(1, 2);
    expect((await Promise.all([read, run(300)]))[0].value?.data).toBe(1);
    expect(offsets()).toEqual([0]);
    expect((await messages.next()).value?.data).toBe(2);
    await run(300);
    expect(offsets()).toEqual([1]);
    expect(() => subscription.on('message', () => {})).toThrow('one reader');
    await messages.return?.();
  });

  it('keeps what is received before its handler is called, or what it is told to keep', async () => {
    const { open, run, publish, kept } = aDevice();
    const client = open();
    const channel = client.channel(CHANNEL);
    const received = byHand();
    channel.subscribe(received.handler, { resumeAs: 'received', commit: 'received' });
    const seen: Message[] = [];
    const manual = channel.subscribe((message) => void seen.push(message), { resumeAs: 'manual', commit: 'manual' });
    const offsets = () => [...kept.values()].map(({ offset }) => offset);
    await run();
    publish(1, 2);
    await run(300);
    expect(received.data()).toEqual([1, 2]);
    expect(offsets()).toEqual([2, 0]);
    manual.commit(seen[0] as Message);
    await run(300);
    expect(offsets()).toEqual([2, 1]);
  });

  it('is told of a reset when what is kept can not be gone on from, and goes on after it', async () => {
    const { open, run, publish, server, kept } = aDevice();
    const seen: unknown[] = [];
    const resets: string[] = [];
    const subscribe = (client = open()) => {
      const subscription = client.channel(CHANNEL).subscribe(({ data }) => seen.push(data), { resumeAs: 'worker' });
      subscription.on('reset', ({ reason }) => resets.push(reason));
      return client;
    };
    const before = subscribe();
    await run();
    before.close();
    publish(1, 2, 3);
    server.log(CHANNEL).trim(1);
    const after = subscribe();
    await run(300);
    publish(4);
    await run(300);
    expect([resets, seen]).toEqual([['expired'], [3, 4]]);
    after.close();
    expect([...kept.values()].map(({ offset }) => offset)).toEqual([4]);
  });

  it('belongs to a user: another one begins anew, and what was kept is dropped', async () => {
    const { open, run, publish, login, kept } = aDevice();
    const seen: string[] = [];
    const page = async (user: string | undefined) => {
      login(user);
      const client = open();
      client.channel(CHANNEL).subscribe(({ data }) => seen.push(`${user} ${data}`), { resumeAs: 'worker' });
      await run();
      client.close();
      await run();
    };
    await page('ada');
    publish(1);
    await page('ada');
    publish(2);
    await page('bob');
    publish(3);
    await page('ada');
    expect(seen).toEqual(['ada 1']);
    // This is so even if nobody asks for the name.
    login(undefined);
    open();
    await run();
    expect([...kept]).toEqual([]);
  });

  it('keeps nothing of the user before when another one connects in the same page', async () => {
    const { open, run, publish, login, kept, server } = aDevice();
    const { handler, calls } = byHand();
    login('ada');
    const client = open();
    client.channel(CHANNEL).subscribe(handler, { resumeAs: 'worker' });
    await run();
    publish(1);
    await run();
    login('bob');
    server.link.cut();
    await run(600);
    expect([...kept]).toEqual([]);
    calls[0]?.done();
    await run(300);
    expect([...kept.values()].map(({ user, offset }) => [user, offset])).toEqual([['bob', 1]]);
  });

  it('begins as without a name where what is kept is too old', async () => {
    const { open, run, publish, clock, store } = aDevice();
    const client = () => open({ positions: customPositions(store, { maxAgeMs: 1_000 }) });
    const before = client();
    before.channel(CHANNEL).subscribe(() => {}, { resumeAs: 'worker' });
    await run();
    before.close();
    publish(1, 2);
    clock.advance(1_001);
    const seen: unknown[] = [];
    client()
      .channel(CHANNEL)
      .subscribe(({ data }) => seen.push(data), { resumeAs: 'worker', rewind: 1 });
    await run();
    expect(seen).toEqual([2]);
  });

  it('saves the newest position at a pace, one save at a time, and the last one on leaving', async () => {
    const { open, run, publish, store, kept } = aDevice();
    const saves: (() => void)[] = [];
    const save = vi.fn((id: string, position: StoredPosition) => {
      kept.set(id, position);
      return new Promise<void>((done) => saves.push(done));
    });
    const client = open({}, { ...store, save });
    client.channel(CHANNEL).subscribe(() => {}, { resumeAs: 'worker' });
    await run(300);
    publish(1, 2, 3);
    await run(300);
    expect(save).toHaveBeenCalledTimes(1);
    saves[0]?.();
    await run(300);
    expect(save.mock.calls.map(([, { offset }]) => offset)).toEqual([0, 3]);
    publish(4);
    await run();
    client.close();
    saves[1]?.();
    await run();
    expect(save.mock.calls.map(([, { offset }]) => offset)).toEqual([0, 3, 4]);
  });

  it('fails where what is kept can not be read, and goes on where it can not be saved; both are told', async () => {
    const { open, run, publish, store, errors } = aDevice();
    const broken = () => Promise.reject(new Error('disk'));
    const failed = open({}, { ...store, load: broken });
    const subscription = failed.channel(CHANNEL).subscribe(() => {}, { resumeAs: 'worker' });
    await run();
    expect([subscription.state, errors.map(({ code }) => code)]).toEqual(['failed', ['store_failed']]);
    errors.length = 0;
    const seen: unknown[] = [];
    open({}, { ...store, save: broken })
      .channel(CHANNEL)
      .subscribe(({ data }) => seen.push(data), { resumeAs: 'worker' });
    await run();
    publish(1, 2, 3);
    await run(1_000);
    expect([seen, errors.map(({ code }) => code)]).toEqual([[1, 2, 3], ['store_failed']]);
  });

  it('runs without what is kept, and keeps nothing, while another one holds the name', async () => {
    const { open, run, publish, store, kept } = aDevice();
    let take: () => void = () => {};
    const hold: PositionStore['hold'] = (_id, _signal, onHeld) => {
      take = onHeld;
      return false;
    };
    kept.set(`fanfare ws://fake/ws ${CHANNEL} worker`, { epoch: '100', offset: 0, savedAt: 1_700_000_000_000 });
    publish(1);
    const seen: unknown[] = [];
    open({}, { ...store, hold })
      .channel(CHANNEL)
      .subscribe(({ data }) => seen.push(data), { resumeAs: 'worker' });
    await run();
    publish(2);
    await run(300);
    expect([seen, [...kept.values()].map(({ offset }) => offset)]).toEqual([[2], [0]]);
    take();
    expect([...kept.values()].map(({ offset }) => offset)).toEqual([2]);
  });

  it('goes on with a connection that failed for good and is asked for again', async () => {
    const { open, run, publish, server } = aDevice();
    const seen: unknown[] = [];
    const client = open();
    client.channel(CHANNEL).subscribe(({ data }) => seen.push(data), { resumeAs: 'worker' });
    await run();
    server.link.close(4403, 'out');
    await run();
    publish(1);
    client.connect();
    await run();
    publish(2);
    await run();
    expect(seen).toEqual([1, 2]);
  });

  it('is refused without a store, and a second time under the same name', async () => {
    const { open } = aDevice();
    const options = { resumeAs: 'worker' };
    expect(() => open({ positions: undefined }).channel(CHANNEL).subscribe(options)).toThrow('needs the option');
    const channel = open().channel(CHANNEL);
    channel.subscribe(options);
    expect(() => channel.subscribe(options)).toThrow('already');
    expect(() => channel.subscribe().commit({ epoch: '1', offset: 1 })).toThrow('resumeAs');
  });
});

describe('publishes that wait while the user changes', () => {
  it('are not made in the name of the next one', async () => {
    const { open, run, login, server } = aDevice();
    login('ada');
    const client = open();
    await run();
    // The gateway takes the frame in and never answers it.
    server.onFrame = () => {};
    const sent = rejectionOf(client.channel(CHANNEL).publish(1));
    await run();
    server.onFrame = (frame, link) => server.answer(frame, link);
    login('bob');
    server.link.cut();
    const waiting = rejectionOf(client.channel(CHANNEL).publish(2));
    const reading = client.channel(CHANNEL).history();
    await run(600);
    expect((await sent).code).toBe('outcome_unknown');
    expect((await waiting).code).toBe('user_changed');
    expect((await reading).messages).toEqual([]);
    await Promise.all([client.channel(CHANNEL).publish(3), run()]);
    expect(server.log(CHANNEL).entries.map(({ data }) => data)).toEqual([3]);
  });

  it('are made where the same one comes back', async () => {
    const { open, run, login, server } = aDevice();
    login('ada');
    const client = open();
    await run();
    server.link.cut();
    const published = client.channel(CHANNEL).publish(1);
    await run(600);
    expect((await published).offset).toBe(1);
  });
});
