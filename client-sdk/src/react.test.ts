// @vitest-environment happy-dom
import { act, createElement, type ReactNode, StrictMode } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createClient, defineChannels, durable, live } from './index.js';
import { createHooks } from './react.js';
import { LogServer, VirtualClock } from './testing/index.js';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

const channels = defineChannels({ 'chat:*': durable<string>(), 'live:*': live<string>() });
const hooks = createHooks<typeof channels>();
const { FanfareProvider, useMessages, useLatest, useSubscription, useChannelState, usePresence, useConnection } = hooks;
const h = createElement;

const consoleError = vi.spyOn(console, 'error');
afterEach(() => expect(consoleError).not.toHaveBeenCalled());

/** Makes a page with a client and a gateway. */
function aPage({ strict = true } = {}) {
  const clock = new VirtualClock();
  const server = new LogServer({ clock });
  const make = () => createClient({ url: 'ws://fake', clock, socket: server.socket, channels });
  const client = make();
  const container = document.createElement('div');
  const around = (node: ReactNode, from: typeof client | (() => typeof client) = client) => {
    const provided = h(FanfareProvider, { client: from }, node);
    return strict ? h(StrictMode, null, provided) : provided;
  };
  let root: ReturnType<typeof createRoot> | undefined;
  /** Lets frames and answers of the gateway come, and lets what they change be rendered. */
  const run = async (ms = 20) => {
    for (let step = 0; step < 3; step++) {
      await act(async () => {
        clock.advance(ms);
        await new Promise((done) => setTimeout(done, 25));
      });
    }
  };
  const render = async (node: ReactNode, from?: typeof client | (() => typeof client)) => {
    root ??= createRoot(container);
    await act(async () => root?.render(around(node, from)));
    await run();
  };
  const unmount = async () => {
    await act(async () => root?.unmount());
    root = undefined;
    await run();
  };
  onTestFinished(() => act(async () => root?.unmount()));
  const subscribes = () => server.links.flatMap((link) => link.sent('subscribe'));
  return {
    clock,
    server,
    client,
    make,
    container,
    around,
    run,
    render,
    unmount,
    subscribes,
    text: () => container.textContent,
  };
}

function Messages({
  name = 'chat:1',
  rewind = 10,
  onRender = () => {},
}: {
  name?: 'chat:1' | 'chat:2' | null;
  rewind?: number;
  onRender?: () => void;
}) {
  onRender();
  const { messages, status } = useMessages(name, { rewind, max: 3 });
  return `${status}: ${messages.map(({ data }) => data).join(' ')}`;
}

describe('useMessages', () => {
  it('renders the last messages and those that come, subscribing once in StrictMode', async () => {
    const { server, render, run, subscribes, text, unmount } = aPage();
    for (const data of ['a', 'b']) server.publish('chat:1', data);
    await render(h(Messages));
    expect(text()).toBe('subscribed: a b');
    for (const data of ['c', 'd']) server.publish('chat:1', data);
    await run();
    expect(text()).toBe('subscribed: b c d');
    expect(subscribes()).toHaveLength(1);
    await unmount();
    expect(server.membersOf('chat:1')).toEqual([]);
    expect(server.link.open).toBe(true);
  });

  it('renders once a frame, however many messages come', async () => {
    const { server, render, run, text } = aPage({ strict: false });
    const onRender = vi.fn();
    await render(h(Messages, { onRender }));
    onRender.mockClear();
    for (let n = 0; n < 500; n++) server.publish('chat:1', String(n));
    await run(2);
    expect(text()).toBe('subscribed: 497 498 499');
    expect(onRender).toHaveBeenCalledTimes(1);
  });

  it('goes on where it was over a lost connection, and begins anew after a reset: a list has no hole', async () => {
    const { server, render, run, text } = aPage();
    await render(h(Messages));
    for (const data of ['a', 'b']) server.publish('chat:1', data);
    await run();
    server.link.cut();
    server.publish('chat:1', 'c');
    await run(400);
    expect(text()).toBe('subscribed: a b c');
    server.takeOver('chat:1', 1);
    server.publish('chat:1', 'd');
    await run();
    expect(text()).toBe('subscribed: a b d');
  });

  it('follows another channel when the name changes, and none at all while there is no name', async () => {
    const { server, render, text } = aPage();
    server.publish('chat:1', 'one');
    server.publish('chat:2', 'two');
    await render(h(Messages, { name: null }));
    expect(text()).toBe('off: ');
    await render(h(Messages, { name: 'chat:1' }));
    expect(text()).toBe('subscribed: one');
    await render(h(Messages, { name: 'chat:2' }));
    expect(text()).toBe('subscribed: two');
    expect(server.membersOf('chat:1')).toEqual([]);
  });

  it('shows a refusal instead of throwing it while rendering', async () => {
    const { server, render, text, client } = aPage();
    client.on('error', () => {});
    server.onFrame = (frame, link) => {
      if (frame.type !== 'subscribe') return server.answer(frame, link);
      link.send({ type: 'error', id: frame.id, code: 'forbidden', message: 'no', retryable: false });
    };
    function Refused() {
      const { status, error } = useMessages('chat:1');
      return `${status} ${error?.code}`;
    }
    await render(h(Refused));
    expect(text()).toBe('failed forbidden');
  });
});

describe('on a server', () => {
  it('what there is before a connection is rendered, nothing is opened, and the page takes it over', async () => {
    const { server, around, container, run, text } = aPage();
    function All() {
      const { state } = useConnection();
      const latest = useLatest('live:x');
      const { members, synced } = usePresence('chat:1');
      const { status } = useChannelState('chat:1', { load: async () => Promise.reject(), apply: () => 0 });
      const all = [state, latest === undefined, members.length, synced, status].join(' ');
      return h('p', null, all, h(Messages));
    }
    const html = renderToString(around(h(All)));
    expect(html).toContain('idle true 0 false loading');
    expect(html).toContain('off: ');
    await run();
    expect(server.links).toEqual([]);
    container.innerHTML = renderToString(around(h(Messages)));
    server.publish('chat:1', 'a');
    const root = await act(async () => hydrateRoot(container, around(h(Messages))));
    await run();
    expect(text()).toBe('subscribed: a');
    await act(async () => root.unmount());
  });
});

describe('useSubscription', () => {
  it('calls the newest handler for each message, and renders for none of them', async () => {
    const { server, render, run, text, subscribes } = aPage();
    const seen: string[] = [];
    const onRender = vi.fn();
    function Reader({ tag }: { tag: string }) {
      onRender();
      return useSubscription('chat:1', ({ data }) => seen.push(`${tag} ${data}`)).status;
    }
    await render(h(Reader, { tag: 'first' }));
    server.publish('chat:1', 'a');
    await run();
    await render(h(Reader, { tag: 'second' }));
    onRender.mockClear();
    server.publish('chat:1', 'b');
    await run();
    expect([seen, text()]).toEqual([['first a', 'second b'], 'subscribed']);
    expect(onRender).not.toHaveBeenCalled();
    expect(subscribes()).toHaveLength(1);
  });
});

describe('useLatest', () => {
  it('is the last message of a durable channel, and what comes on a live one', async () => {
    const { server, render, run, text } = aPage();
    const Latest = () => `${useLatest('chat:1')?.data} ${useLatest('live:x')?.data}`;
    for (const name of ['chat:1', 'live:x']) server.publish(name, 'before');
    await render(h(Latest));
    expect(text()).toBe('before undefined');
    for (const name of ['chat:1', 'live:x']) server.publish(name, 'after');
    await run();
    expect(text()).toBe('after after');
  });
});

describe('useChannelState', () => {
  it('is a snapshot and what comes after it, and is loaded again after a reset', async () => {
    const { server, render, run, text } = aPage();
    const log = server.log('chat:1');
    let loads = 0;
    function State() {
      const { state, status } = useChannelState('chat:1', {
        load: async () => {
          loads++;
          return { state: log.entries.map(({ data }) => data).join(''), position: log.head };
        },
        apply: (text, { data }) => text + data,
      });
      return `${status} ${state}`;
    }
    server.publish('chat:1', 'a');
    await render(h(State));
    server.publish('chat:1', 'b');
    await run();
    expect([text(), loads]).toEqual(['live ab', 1]);
    server.takeOver('chat:1', 1);
    server.publish('chat:1', 'c');
    await run();
    expect([text(), loads]).toEqual(['live ac', 2]);
  });
});

describe('usePresence and useConnection', () => {
  it('tell who is there, and whether that may be old', async () => {
    const { server, render, run, text } = aPage();
    server.onFrame = (frame, link) => {
      if (frame.type !== 'presence') return server.answer(frame, link);
      const members = [{ session: 's1', sessions: 1 }];
      link.send({ type: 'presence', id: frame.id, channel: frame.channel, members, count: 1, rev: 1 });
    };
    function Status() {
      const { members, synced } = usePresence('chat:1');
      const { state, retryInMs } = useConnection();
      return `${members.map(({ session }) => session)} ${synced} ${state} ${retryInMs !== undefined}`;
    }
    await render(h(Status));
    expect(text()).toBe('s1 true connected false');
    server.link.send({ type: 'join', channel: 'chat:1', member: { session: 's2', sessions: 1 }, rev: 2 });
    await run();
    expect(text()).toBe('s1,s2 true connected false');
    server.reachable = false;
    server.link.cut();
    await run(0);
    expect(text()).toBe('s1,s2 false waiting true');
  });
});

describe('a provider', () => {
  it('that makes its client keeps it while it is mounted, and closes it when it goes', async () => {
    const { server, make, render, unmount, text } = aPage();
    const made = vi.fn(make);
    await render(h(Messages), made);
    expect(text()).toBe('subscribed: ');
    expect(server.links.filter(({ open }) => open)).toHaveLength(1);
    await unmount();
    expect(server.links.filter(({ open }) => open)).toEqual([]);
  });

  it('is missed in plain words', () => {
    expect(() => renderToString(h(Messages))).toThrow('no <FanfareProvider> around');
  });
});
