/** What the clients of a gateway hear of each other: rooms, grace, revisions. Over the engine of a single process. */
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { describe, expect, it } from 'vitest';
import { createMemoryBroker } from '../src/broker/memory/memory-broker.js';
import { HUB_DEFAULTS } from '../src/hub/hub-options.js';
import { SendScheduler } from '../src/hub/send-scheduler.js';
import { MemoryPresence } from '../src/presence/memory/memory-presence.js';
import { Presence } from '../src/presence/presence.js';
import type { PresenceListener, PresenceStore } from '../src/presence/presence-store.js';
import { createStats } from '../src/stats.js';
import { turn } from './support/broker-kit.js';
import { ManualClock } from './support/manual-clock.js';

const CHANNEL = 'p:1';

interface Heard {
  readonly type: string;
  readonly member: { readonly user?: string; readonly session: string };
  readonly rev: number;
}

function start(over: (store: PresenceStore) => PresenceStore = (store) => store) {
  const clock = new ManualClock();
  const heard: Heard[] = [];
  const transport = { publish: (_topic: string, frame: Uint8Array | string) => void heard.push(...parse(frame)) };
  const store = new MemoryPresence({ broker: createMemoryBroker({ clock }), clock });
  const presence = new Presence({
    store: over(store),
    scheduler: new SendScheduler(transport, clock, createStats(), HUB_DEFAULTS),
    clock,
    onFault: (message) => {
      throw new Error(message);
    },
  });
  const settle = async () => {
    for (let i = 0; i < 20; i++) {
      clock.advance(0);
      await turn();
    }
  };
  const listen = async () => {
    const listening = presence.listen(CHANNEL, { subscribe() {}, unsubscribe() {} }, RAW_DIALECTS.json);
    listening.begin();
    await settle();
    return listening;
  };
  const told = () => heard.map(({ type, member }) => `${type} ${member.user ?? member.session}`);
  return { clock, heard, store, presence, settle, listen, told };
}

/** One frame, or an array of them. */
function parse(frame: Uint8Array | string): Heard[] {
  return [JSON.parse(Buffer.from(frame as Uint8Array).toString()) as Heard].flat();
}

const ada = (session: string) => ({ session, user: 'ada' });

describe('presence', () => {
  it('tells of joins and leaves, each with a higher revision', async () => {
    const { presence, listen, settle, told, heard } = start();
    await listen();
    await presence.enter(CHANNEL, ada('s1'));
    await presence.enter(CHANNEL, { session: 's2' });
    presence.leave(CHANNEL, ada('s1'), false);
    await settle();
    expect(told()).toEqual(['join ada', 'join s2', 'leave ada']);
    expect(heard.map(({ rev }) => rev)).toEqual([...new Set(heard.map(({ rev }) => rev))].sort((a, b) => a - b));
  });

  it('a list has a revision below that of what happens behind it, so that it revives nobody', async () => {
    const { presence, listen, settle, heard } = start();
    await listen();
    await presence.enter(CHANNEL, ada('s1'));
    await settle();
    const { rev, members } = await presence.page(CHANNEL, undefined, 10);
    presence.leave(CHANNEL, ada('s1'), false);
    await settle();
    expect(members).toHaveLength(1);
    expect(heard.at(-1)?.rev).toBeGreaterThan(rev);
    expect((await presence.page(CHANNEL, undefined, 10)).rev).toBeGreaterThanOrEqual(heard.at(-1)?.rev as number);
  });

  it('a user whose connection broke and who is back in time neither leaves nor joins', async () => {
    const { clock, presence, listen, settle, told } = start();
    await listen();
    await presence.enter(CHANNEL, ada('s1'));
    presence.leave(CHANNEL, ada('s1'), true);
    clock.advance(4_999);
    await presence.enter(CHANNEL, ada('s2'));
    clock.advance(60_000);
    await settle();
    expect(told()).toEqual(['join ada']);
    expect((await presence.page(CHANNEL, undefined, 10)).members).toEqual([{ ...ada('s1'), sessions: 1 }]);
  });

  it('the same session that is taken off and comes back, as a slow reader does, stays', async () => {
    const { clock, presence, listen, settle, told } = start();
    await listen();
    await presence.enter(CHANNEL, ada('s1'));
    presence.leave(CHANNEL, ada('s1'), true);
    await presence.enter(CHANNEL, ada('s1'));
    clock.advance(60_000);
    await settle();
    expect(told()).toEqual(['join ada']);
  });

  it('a user who does not come back leaves after the grace period', async () => {
    const { clock, presence, listen, settle, told } = start();
    await listen();
    await presence.enter(CHANNEL, ada('s1'));
    presence.leave(CHANNEL, ada('s1'), true);
    await settle();
    expect(told()).toEqual(['join ada']);
    clock.advance(5_000);
    await settle();
    expect(told()).toEqual(['join ada', 'leave ada']);
  });

  it('changes that were missed during an interruption are told when it is over', async () => {
    const missing = { isOn: false };
    let listener: PresenceListener | undefined;
    const { store, listen, presence, settle, told } = start((inner) => ({
      start() {},
      close: () => inner.close(),
      add: (...args) => inner.add(...args),
      remove: (...args) => inner.remove(...args),
      list: (...args) => inner.list(...args),
      watch: (channel, real) => {
        listener = real;
        return inner.watch(channel, {
          ...real,
          onChange: (change) => missing.isOn || real.onChange(change),
        } as PresenceListener);
      },
    }));
    await listen();
    await presence.enter(CHANNEL, ada('s1'));
    await settle();
    missing.isOn = true;
    listener?.onInterrupted();
    store.remove(CHANNEL, 's1');
    await store.add(CHANNEL, { session: 's2', user: 'bob' });
    missing.isOn = false;
    listener?.onResumed();
    await settle();
    expect(told()).toEqual(['join ada', 'leave ada', 'join bob']);
  });

  it('one change that got lost is noticed with the next one', async () => {
    let lose = 0;
    const { listen, presence, settle, told } = start((inner) => ({
      start() {},
      close: () => inner.close(),
      add: (...args) => inner.add(...args),
      remove: (...args) => inner.remove(...args),
      list: (...args) => inner.list(...args),
      watch: (channel, real) =>
        inner.watch(channel, {
          onChange: (change) => (lose-- > 0 ? undefined : real.onChange(change)),
          onInterrupted: () => real.onInterrupted(),
          onResumed: () => real.onResumed(),
        }),
    }));
    await listen();
    await presence.enter(CHANNEL, ada('s1'));
    await settle();
    lose = 1;
    presence.leave(CHANNEL, ada('s1'), false);
    await settle();
    expect(told()).toEqual(['join ada']);
    await presence.enter(CHANNEL, { session: 's2' });
    await settle();
    expect(told()).toEqual(['join ada', 'leave ada', 'join s2']);
  });

  it('what comes while the list is read is told behind it, unless the list shows it', async () => {
    const revs: number[] = [];
    let reads = 0;
    const { store, listen, settle, told } = start((inner) => ({
      start() {},
      close: () => inner.close(),
      add: (...args) => inner.add(...args),
      remove: (...args) => inner.remove(...args),
      async list(...args) {
        const before = await inner.list(...args);
        if (reads++ > 0) return before;
        await inner.add(CHANNEL, { session: 's1', user: 'bob' });
        inner.remove(CHANNEL, 's1');
        await turn();
        // This list shows that nobody is there any more; this member joins behind it.
        const rev = revs.at(-1) as number;
        await inner.add(CHANNEL, ada('s2'));
        await turn();
        return { ...before, rev };
      },
      watch: (channel, real) =>
        inner.watch(channel, {
          onChange(change) {
            revs.push(change.rev);
            real.onChange(change);
          },
          onInterrupted: () => real.onInterrupted(),
          onResumed: () => real.onResumed(),
        }),
    }));
    await listen();
    expect(told()).toEqual(['join ada']);
    await store.add(CHANNEL, { session: 's3' });
    await settle();
    expect([told(), reads]).toEqual([['join ada', 'join s3'], 1]);
  });

  it('pages of a channel that somebody listens to are those of the store', async () => {
    const { presence, listen, store, settle } = start();
    for (let i = 0; i < 25; i++) await presence.enter(CHANNEL, { session: `s${String(i).padStart(2, '0')}` });
    const cold = await presence.page(CHANNEL, undefined, 10);
    await listen();
    await settle();
    expect(await presence.page(CHANNEL, undefined, 10)).toEqual(cold);
    expect(await store.list(CHANNEL, { after: 's:s19', limit: 10 })).toMatchObject({ more: false });
  });

  it('refuses a cursor that is none', async () => {
    const { presence } = start();
    await expect(presence.page(CHANNEL, 'nonsense', 10)).rejects.toMatchObject({ code: 'bad_request' });
  });
});
