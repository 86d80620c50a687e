import { runInNewContext } from 'node:vm';
import { jsonDialect } from '@fanfare/protocol/json';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { rejectionOf, withFakeServer } from '../test/support.js';
import { createClient, FanfareClientError } from './index.js';
import { FakeServer, settle, VirtualClock } from './testing/index.js';

/** Connects and lets the connection become stable. */
function connected(...args: Parameters<typeof withFakeServer>) {
  const setup = withFakeServer(...args);
  setup.client.connect();
  setup.clock.advance(60_000);
  expect(setup.client.state).toBe('connected');
  return setup;
}

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe('connecting', () => {
  it('greets with the token and its name, on the subprotocol of its codec', async () => {
    const { client, server, clock, states } = withFakeServer({ token: 'jwt', name: 'app/2' });
    client.connect();
    const done = client.ready();
    clock.advance(5);
    await done;
    expect(server.link.request).toEqual({ url: 'ws://fake/ws', subprotocols: ['fanfare.json.v1'] });
    expect(server.link.received).toEqual([{ type: 'connect', id: expect.any(Number), token: 'jwt', client: 'app/2' }]);
    expect(states.map(({ state }) => state)).toEqual(['connecting', 'connected']);
    expect(client.session).toMatchObject({ session: 's1', node: 'n1' });
  });

  it('resolves every connect() once connected, and at once when it is', async () => {
    const { client, clock, server } = withFakeServer();
    client.connect();
    client.connect();
    const both = Promise.all([client.ready(), client.ready()]);
    clock.advance(5);
    await both;
    client.connect();
    await client.ready();
    expect(server.links).toHaveLength(1);
  });

  it('asks a token function for every connection', async () => {
    let count = 0;
    const { client, server, clock } = withFakeServer({ token: async () => `t${++count}` });
    client.connect();
    await settle();
    clock.advance(5);
    server.link.cut();
    clock.advance(1_000);
    await settle();
    clock.advance(5);
    expect(server.links.map((link) => link.sent('connect')[0]?.token)).toEqual(['t1', 't2']);
  });

  it('tries again when no token could be fetched, and says so', async () => {
    const answers = [() => Promise.reject(new Error('down')), () => Promise.reject(new Error('down')), () => 'jwt'];
    const { client, errors, clock, server } = withFakeServer({ token: () => answers.shift()?.() ?? 'jwt' });
    client.connect();
    for (let turn = 0; turn < 5; turn++) {
      await settle();
      clock.advance(2_000);
    }
    expect(errors.map(({ code, retryable }) => [code, retryable])).toEqual([
      ['token_failed', true],
      ['token_failed', true],
    ]);
    expect(client.state).toBe('connected');
    expect(server.link.sent('connect')[0]?.token).toBe('jwt');
  });

  it('gives up when the token function says that it is no use', async () => {
    const token = () => Promise.reject(new FanfareClientError('unauthorized', 'signed out'));
    const { client, clock } = withFakeServer({ token });
    client.connect();
    const failed = rejectionOf(client.ready());
    expect(await failed).toMatchObject({ code: 'token_failed', retryable: false });
    clock.advance(600_000);
    expect(client.state).toBe('failed');
  });

  it('does not wait for a token longer than for a connection', async () => {
    const { client, clock, errors } = withFakeServer({ token: () => new Promise(() => {}), connectTimeoutMs: 3_000 });
    client.connect();
    clock.advance(3_000);
    expect(client.state).toBe('waiting');
    expect(errors[0]?.code).toBe('token_failed');
  });

  it('ignores a token that comes after close()', async () => {
    let give: (token: string) => void = () => {};
    const { client, server } = withFakeServer({ token: () => new Promise((resolve) => (give = resolve)) });
    client.connect();
    client.close();
    give('late');
    await settle();
    expect(server.links).toHaveLength(0);
    expect(client.state).toBe('closed');
  });

  it.each([
    ['ws://host:1', 'ws://host:1/ws'],
    ['https://host/gate/ws?x=1#y', 'wss://host/gate/ws?x=1'],
    ['WS://host?x=1', 'ws://host/ws?x=1'],
  ])('takes %s as %s', (url, expected) => {
    const { client, server } = withFakeServer({ url });
    client.connect();
    expect(server.link.request.url).toBe(expected);
  });

  it.each([
    [{ url: '' }],
    [{ url: 'ftp://host' }],
    [{ url: 'localhost:8080/ws' }],
    [{ url: 'ws://' }],
    [{ url: 'ws://a b/ws' }],
    [{ maxQueue: 0 }],
    [{ joinsPerSecond: 0.5 }],
    [{ pingGraceMs: Number.NaN }],
    [{ backoff: { baseMs: Number.NaN } }],
    [{ backoff: { maxMs: Number.POSITIVE_INFINITY } }],
    [{ backoff: { baseMs: 0 } }],
  ])('refuses %o', (options) => {
    expect(() => createClient({ url: 'ws://host', ...options })).toThrow(FanfareClientError);
  });

  it.each([
    ['in a page', { document: { baseURI: 'https://host/app/' } }, 'ws', 'wss://host/app/ws'],
    ['in a worker', { location: { href: 'http://host:1/js/worker.js' } }, '/ws?x=1', 'ws://host:1/ws?x=1'],
    [
      'in a srcdoc frame',
      { document: { baseURI: 'https://host/page' }, location: { href: 'about:srcdoc' } },
      '/ws',
      'wss://host/ws',
    ],
    [
      'in a worker made from a blob',
      { location: { href: 'blob:https://host/uuid' }, origin: 'https://host' },
      '/ws',
      'wss://host/ws',
    ],
  ])('takes what a relative url is relative to, %s', (_, place, url, expected) => {
    for (const [name, value] of Object.entries(place)) vi.stubGlobal(name, value);
    const { client, server } = withFakeServer({ url });
    client.connect();
    expect(server.link.request.url).toBe(expected);
  });

  it('has failed, naming the url, where a relative one has nothing to be relative to', async () => {
    const { client, server, errors } = withFakeServer({ url: '/ws' });
    expect(client.state).toBe('idle');
    client.connect();
    const error = await rejectionOf(client.ready());
    expect(error).toMatchObject({ code: 'bad_request', message: expect.stringContaining(': /ws') });
    expect([client.state, errors, server.links]).toEqual(['failed', [error], []]);
  });

  it('has failed, and tries nothing more, where a socket cannot be had', async () => {
    const fatal = new FanfareClientError('no_websocket', 'none here');
    const { client, clock } = withFakeServer({
      socket: (_, { onClose }) => {
        clock.after(0, () => onClose(1006, '', fatal));
        return { send: () => {}, close: () => {}, terminate: () => {} };
      },
    });
    client.connect();
    const connected = rejectionOf(client.ready());
    clock.advance(0);
    expect(await connected).toBe(fatal);
    expect([client.state, clock.pending]).toEqual(['failed', 0]);
  });

  it('takes undefined for the default, also within backoff', () => {
    const { client, server, clock, states } = withFakeServer({
      // Callers without types may pass this.
      backoff: { baseMs: undefined } as unknown as { baseMs: number },
    });
    server.reachable = false;
    client.connect();
    clock.advance(60_000);
    expect(server.links.length).toBeLessThan(50);
    expect(states.every(({ retryInMs = 0 }) => Number.isFinite(retryInMs))).toBe(true);
    client.close();
  });

  it('can be told to wait for ever', async () => {
    const socket = () => ({ send: () => {}, close: () => {}, terminate: () => {} });
    const endless = Number.POSITIVE_INFINITY;
    const client = createClient({ url: 'ws://fake', socket, connectTimeoutMs: endless, requestTimeoutMs: endless });
    client.connect();
    let settled = false;
    void client
      .channel('chat:1')
      .publish(1)
      .catch(() => {})
      .finally(() => (settled = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([client.state, settled]).toEqual(['connecting', false]);
    client.close();
  });

  it('refuses a queue and a time that are none, of one call', async () => {
    const { client } = withFakeServer();
    const channel = client.channel('chat:1');
    expect(() => channel.subscribe(undefined, { maxQueue: 0 })).toThrow('maxQueue');
    for (const timeoutMs of [0, Number.NaN]) {
      expect(await rejectionOf(channel.publish(1, { timeoutMs }))).toMatchObject({ code: 'bad_request' });
      expect(await rejectionOf(channel.history({ timeoutMs }))).toMatchObject({ code: 'bad_request' });
    }
  });
});

describe('losing the connection', () => {
  it('comes back within the first backoff after a stable connection', () => {
    const { client, server, clock, states } = connected();
    server.link.cut();
    expect(states.at(-1)).toMatchObject({ state: 'waiting', previous: 'connected', code: 1006 });
    expect(states.at(-1)?.retryInMs).toBeLessThan(500);
    clock.advance(510);
    expect(client.state).toBe('connected');
    expect(client.stats.reconnects).toBe(1);
  });

  it('waits longer and longer, with full jitter, up to the maximum', () => {
    const { server, clock, states, client } = connected();
    server.reachable = false;
    server.link.cut();
    clock.advance(600_000);
    const delays = states.flatMap(({ retryInMs }) => retryInMs ?? []);
    expect(delays.length).toBeGreaterThan(20);
    for (const [attempt, delay] of delays.entries()) expect(delay).toBeLessThan(Math.min(20_000, 500 * 2 ** attempt));
    // Full jitter spreads the delays over the whole range, also near zero.
    const late = delays.slice(6);
    expect(Math.max(...late)).toBeGreaterThan(15_000);
    expect(Math.min(...late)).toBeLessThan(5_000);
    server.reachable = true;
    clock.advance(25_000);
    expect(client.state).toBe('connected');
  });

  it('does not start over with short delays while connections break at once', () => {
    const { client, server, clock, states } = connected();
    for (let round = 0; round < 8; round++) {
      server.link.cut();
      for (let step = 0; step < 3_000 && client.state !== 'connected'; step++) clock.advance(10);
    }
    expect(Math.max(...states.flatMap(({ retryInMs }) => retryInMs ?? []))).toBeGreaterThan(5_000);
  });

  it('is told once as an error where there never was a connection', () => {
    const { client, server, clock, errors } = withFakeServer();
    server.reachable = false;
    client.connect();
    clock.advance(60_000);
    expect(errors).toMatchObject([
      {
        code: 'unreachable',
        message: expect.stringMatching(/^no connection to ws:\/\/fake\/ws: cut; tried again in \d\.\d s$/),
        retryable: true,
      },
    ]);
    server.reachable = true;
    clock.advance(30_000);
    expect(client.state).toBe('connected');
    server.reachable = false;
    server.link.cut();
    clock.advance(60_000);
    expect(errors).toHaveLength(1);
    client.close();
  });

  it('connects at once when told to while it waits', async () => {
    const { client, server, clock } = connected();
    server.reachable = false;
    server.link.cut();
    clock.advance(30_000);
    server.reachable = true;
    client.connect();
    await Promise.all([client.ready(), clock.advance(5)]);
    expect(client.state).toBe('connected');
  });

  it('connects at once when a browser is online again', () => {
    const target = new EventTarget();
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
    vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target));
    const { client, server, clock } = connected();
    server.reachable = false;
    server.link.cut();
    clock.advance(30_000);
    server.reachable = true;
    target.dispatchEvent(new Event('online'));
    clock.advance(5);
    expect(client.state).toBe('connected');
    client.close();
    target.dispatchEvent(new Event('online'));
    expect(client.state).toBe('closed');
  });

  it('takes a browser at its word that it is offline', () => {
    const target = new EventTarget();
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
    vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target));
    const { client, server, clock, states } = connected();
    server.reachable = false;
    target.dispatchEvent(new Event('offline'));
    expect(states.at(-1)).toMatchObject({ state: 'waiting', reason: 'the network is offline' });
    clock.advance(60_000);
    server.reachable = true;
    target.dispatchEvent(new Event('online'));
    clock.advance(5);
    expect(client.state).toBe('connected');
  });

  it('cuts a link on which an answer is owed after 5 s of silence and 5 s of asking, and no other', () => {
    const { client, server, clock, states } = connected();
    clock.advance(20_000);
    server.link.freeze();
    clock.advance(4_000);
    expect(client.state).toBe('connected');
    client.channel('a').subscribe(() => {});
    clock.advance(4_900);
    expect(client.state).toBe('connected');
    clock.advance(5_200);
    expect(states.find(({ state }) => state === 'waiting')?.reason).toBe('silence for 5000 ms');
    const { client: quiet, server: alive, clock: time } = connected();
    quiet.channel('a').subscribe(() => {});
    time.advance(120_000);
    expect([quiet.state, alive.links.length]).toEqual(['connected', 1]);
  });

  it('connects at once when a page is shown again, and then tells a dead link from one that is only quiet', () => {
    const page = new EventTarget();
    const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
    vi.stubGlobal('document', document);
    const { client, server, clock, states } = connected();
    const { link } = server;
    server.onFrame = (frame, from) => {
      if (frame.type === 'unsubscribe') from.send({ type: 'unsubscribed', id: frame.id, channel: frame.channel });
    };
    clock.advance(10_000);
    page.dispatchEvent(new Event('pageshow'));
    clock.advance(30_000);
    expect(server.links).toEqual([link]);
    link.freeze();
    document.dispatchEvent(new Event('visibilitychange'));
    clock.advance(6_000);
    expect(client.state).toBe('connected');
    document.visibilityState = 'visible';
    document.dispatchEvent(new Event('visibilitychange'));
    server.reachable = false;
    clock.advance(5_000);
    expect(states.find(({ state }) => state === 'waiting')?.reason).toBe('silence for 5000 ms');
    clock.advance(60_000);
    server.reachable = true;
    clock.advance(1);
    if (client.state === 'waiting') document.dispatchEvent(new Event('visibilitychange'));
    clock.advance(5);
    expect(client.state).toBe('connected');
    client.close();
  });

  it('gives up on a connection that does not answer in time', () => {
    const { client, server, clock, states } = withFakeServer({ connectTimeoutMs: 4_000 });
    server.accepts = false;
    client.connect();
    clock.advance(4_000);
    expect(server.link.ended).toBe('terminated');
    expect(states.at(-1)).toMatchObject({ state: 'waiting', reason: 'no connection within 4000 ms' });
  });

  it('counts a socket factory that throws as a failed connection', () => {
    const socket = () => {
      throw new Error('no sockets here');
    };
    const { client, states } = withFakeServer({ socket });
    client.connect();
    expect(states.at(-1)).toMatchObject({ state: 'waiting', reason: 'no sockets here' });
    client.close();
  });

  it('answers pings, and takes silence for ping + 10 s as the end', () => {
    const { client, server, clock, states } = withFakeServer();
    client.connect();
    clock.advance(25_010);
    expect(server.link.sent('pong')).toHaveLength(1);
    const { link } = server;
    server.pings = false;
    server.accepts = false;
    clock.advance(34_900);
    expect(client.state).toBe('connected');
    clock.advance(200);
    expect(link.ended).toBe('terminated');
    expect(states.find(({ state }) => state === 'waiting')?.reason).toBe('silence for 35000 ms');
  });

  it('notices silence though the clock was set back by an hour', () => {
    const world = new VirtualClock();
    let backMs = 0;
    const clock = {
      now: () => world.now() - backMs,
      after: world.after.bind(world),
      random: world.random.bind(world),
    };
    const server = new FakeServer({ clock: world });
    const client = createClient({ url: 'ws://fake', clock, socket: server.socket });
    client.connect();
    world.advance(1_000);
    server.link.freeze();
    backMs = 3_600_000;
    world.advance(75_000);
    expect(server.links[0]?.ended).toBe('terminated');
    client.close();
  });

  it('takes any frame as a sign of life', () => {
    const { client, server, clock } = connected();
    server.pings = false;
    for (let n = 0; n < 10; n++) {
      server.link.send({ type: 'something-new' });
      clock.advance(30_000);
    }
    expect(client.state).toBe('connected');
    expect(server.links).toHaveLength(1);
  });

  it('leaves a connection on which it cannot know what came, and resumes', () => {
    const { client, server, clock, errors } = connected();
    server.link.sendWire('{"type":"message","channel":"chat:1"');
    clock.advance(1_000);
    server.link.send({ type: 'message', channel: 'chat:1', offset: 'x', data: 1, time: 1 });
    clock.advance(2_000);
    expect(errors.map(({ code }) => code)).toEqual(['malformed_frame', 'malformed_frame']);
    expect(server.links).toHaveLength(3);
    expect(client.state).toBe('connected');
  });
});

describe('close codes', () => {
  it.each([1000, 1001, 1006, 1011, 1012, 4001, 4002, 4003, 4999])('reconnects after %i', (code) => {
    const { client, server, clock } = connected();
    server.link.close(code);
    clock.advance(600);
    expect(client.state).toBe('connected');
    expect(server.links).toHaveLength(2);
  });

  it.each([
    [4400, 'malformed'],
    [4401, 'unauthorized'],
    [4403, 'forbidden'],
    [4404, 'unsupported_subprotocol'],
    [4409, 'frame_too_large'],
    [4477, 'forbidden'],
  ])('stops after %i', (code, name) => {
    const { client, server, clock, errors, states } = connected();
    server.link.close(code, 'because');
    clock.advance(600_000);
    expect(client.state).toBe('failed');
    expect(server.links).toHaveLength(1);
    expect(errors).toMatchObject([{ code: name, message: 'closed by the gateway: because', retryable: false }]);
    expect(states.at(-1)).toMatchObject({ state: 'failed', code, reason: 'because', error: errors[0] });
  });

  it('connects again after a refusal when told to', async () => {
    const { client, server, clock } = connected();
    server.link.close(4403);
    clock.advance(5);
    client.connect();
    const again = client.ready();
    clock.advance(5);
    await again;
    expect(client.state).toBe('connected');
  });

  it('waits as long as a draining gateway asks', () => {
    const { client, server, clock, states } = connected();
    server.link.close(4000, '{"retryAfter":12345}');
    clock.advance(5);
    expect(states.at(-1)?.retryInMs).toBe(12_345);
    clock.advance(12_335);
    expect(client.state).toBe('waiting');
    clock.advance(20);
    expect(client.state).toBe('connected');
  });

  it.each(['', 'soon', '{"retryAfter":-1}', '{"retryAfter":"x"}', 'null'])(
    'drains by backoff when the reason is %j',
    (reason) => {
      const { server, clock, states } = connected();
      server.link.close(4000, reason);
      clock.advance(1);
      expect(states.at(-1)).toMatchObject({ state: 'waiting' });
      expect(states.at(-1)?.retryInMs).toBeLessThan(500);
    },
  );

  it('does not wait for ever because a gateway says so', () => {
    const { server, clock, states } = connected();
    server.link.close(4000, '{"retryAfter":1e15}');
    clock.advance(1);
    expect(states.at(-1)?.retryInMs).toBe(300_000);
  });

  it('comes back later after 4429, each time a new draw', () => {
    const { server, clock, states } = connected();
    const delays: number[] = [];
    for (let round = 0; round < 20; round++) {
      server.link.close(4429);
      clock.advance(1);
      delays.push(states.at(-1)?.retryInMs ?? -1);
      clock.advance(60_000);
    }
    expect(Math.max(...delays)).toBeGreaterThan(4_000);
    expect(Math.max(...delays)).toBeLessThan(8_000);
  });

  it('tells the error that came in answer to connect', async () => {
    const { client, server, clock } = withFakeServer({ token: 'bad' });
    server.accepts = false;
    server.onFrame = (frame, link) => {
      if (frame.type !== 'connect') return;
      link.send({ type: 'error', id: frame.id, code: 'token_expired', message: 'expired in May', retryable: false });
      link.close(4401);
    };
    client.connect();
    const failed = rejectionOf(client.ready());
    clock.advance(10);
    expect(await failed).toMatchObject({ code: 'token_expired', message: 'expired in May' });
    expect(client.state).toBe('failed');
  });

  it('lets the close code decide when connect was refused but a later try may do', () => {
    const { client, server, clock } = withFakeServer();
    server.accepts = false;
    server.onFrame = (frame, link) => {
      if (frame.type !== 'connect') return;
      link.send({ type: 'error', id: frame.id, code: 'limit_exceeded', message: 'full', retryable: false });
      link.close(4429);
    };
    client.connect();
    clock.advance(10);
    expect(client.state).toBe('waiting');
  });

  it('fetches a new token where one ran out on a working connection, but not where it was refused at once', async () => {
    let count = 0;
    const { client, server, clock } = connected({ token: () => `t${++count}` });
    server.link.close(4401);
    clock.advance(600);
    expect(client.state).toBe('connected');
    expect(server.link.sent('connect')[0]?.token).toBe('t2');
    server.link.close(4401);
    clock.advance(600_000);
    expect(client.state).toBe('failed');
  });
});

describe('an expired token', () => {
  function expiring(token: () => string) {
    const setup = withFakeServer({ token });
    const { server } = setup;
    server.accepts = false;
    server.onFrame = (frame, link) => {
      if (frame.type !== 'connect') return;
      if (frame.token === 'fresh') {
        link.send({ type: 'connected', id: frame.id, ...server.welcome });
        return;
      }
      link.send({ type: 'error', id: frame.id, code: 'token_expired', message: 'expired', retryable: false });
      link.close(4401);
    };
    return setup;
  }

  it('is no refusal while another can be fetched', () => {
    const tokens = ['stale', 'stale'];
    const { client, clock, errors } = expiring(() => tokens.shift() ?? 'fresh');
    client.connect();
    clock.advance(10_000);
    expect(client.state).toBe('connected');
    expect(errors.map(({ code, retryable }) => [code, retryable])).toEqual([
      ['token_expired', true],
      ['token_expired', true],
    ]);
    client.close();
  });

  it('again and again is one', () => {
    const { client, server, clock, errors } = expiring(() => 'stale');
    client.connect();
    clock.advance(600_000);
    expect(client.state).toBe('failed');
    expect(server.links).toHaveLength(5);
    expect(errors.at(-1)).toMatchObject({ code: 'token_expired', retryable: false });
  });
});

describe('renewing tokens', () => {
  function renewing(lifeMs: number) {
    let count = 0;
    const setup = withFakeServer({ token: async () => `t${++count}` });
    const { server, clock } = setup;
    server.welcome = { ...server.welcome, expires: clock.now() + lifeMs };
    server.onFrame = (frame, link) => {
      if (frame.type === 'refresh') link.send({ type: 'refreshed', id: frame.id, expires: clock.now() + lifeMs });
    };
    return setup;
  }

  async function run({ clock }: ReturnType<typeof renewing>, ms: number) {
    for (let left = ms; left > 0; left -= 1_000) {
      clock.advance(1_000);
      await settle();
    }
  }

  it('hands over a fresh one half a minute before the end, again and again', async () => {
    const setup = renewing(120_000);
    setup.client.connect();
    await settle();
    await run(setup, 89_000);
    expect(setup.server.link.sent('refresh')).toHaveLength(0);
    await run(setup, 3_000);
    expect(setup.server.link.sent('refresh')).toMatchObject([{ token: 't2' }]);
    await run(setup, 92_000);
    expect(setup.server.link.sent('refresh')).toMatchObject([{ token: 't2' }, { token: 't3' }]);
    setup.client.close();
    await run(setup, 60_000);
    expect(setup.clock.pending).toBe(0);
  });

  it('does not make a loop of it when the clocks disagree', async () => {
    const setup = renewing(-3_600_000);
    setup.client.connect();
    await settle();
    await run(setup, 60_000);
    expect(setup.server.link.sent('refresh').length).toBeLessThanOrEqual(6);
  });

  it.each([-3_600_000, 3_600_000])('goes by how long a token holds where the clock is %i ms off', async (off) => {
    const setup = renewing(120_000 + off);
    const { server, clock, client } = setup;
    const told = () => ({ expires: clock.now() + 120_000 + off, expiresIn: 120_000 });
    server.welcome = { ...server.welcome, ...told() };
    server.onFrame = (frame, link) => {
      if (frame.type === 'refresh') link.send({ type: 'refreshed', id: frame.id, ...told() });
    };
    client.connect();
    await settle();
    await run(setup, 600_000);
    const renewals = server.link.sent('refresh').length;
    // Each renewal is 30 s before the end, so never late and never in a loop.
    expect([client.stats.reconnects, renewals]).toEqual([0, 6]);
  });

  it('can wait for months', async () => {
    const setup = renewing(90 * 86_400_000);
    setup.client.connect();
    await settle();
    await run(setup, 60_000);
    expect(setup.server.link.sent('refresh')).toHaveLength(0);
  });
});

describe('close()', () => {
  it('says goodbye, ends timers, and stays closed', () => {
    const { client, server, clock, states } = connected();
    client.close();
    clock.advance(60_000);
    expect(server.link.ended).toEqual({ code: 1000, reason: '' });
    expect(states.at(-1)).toMatchObject({ state: 'closed', previous: 'connected' });
    expect(clock.pending).toBe(0);
    client.close();
    expect(states.at(-1)).toMatchObject({ state: 'closed', previous: 'connected' });
  });

  it.each(['connecting', 'waiting'])('works while %s', async (state) => {
    const { client, server, clock } = withFakeServer();
    server.reachable = false;
    client.connect();
    const failed = rejectionOf(client.ready());
    if (state === 'waiting') clock.advance(1);
    expect(client.state).toBe(state);
    client.close();
    expect(await failed).toMatchObject({ code: 'closed' });
    clock.advance(600_000);
    expect(client.state).toBe('closed');
    expect(clock.pending).toBe(0);
  });

  it('can be called from a state listener', () => {
    const { client, server, clock } = withFakeServer();
    client.on('state', ({ state }) => {
      if (state === 'connecting' || state === 'waiting') client.close();
    });
    client.connect();
    clock.advance(600_000);
    expect(server.links).toHaveLength(0);
    expect(client.state).toBe('closed');
  });

  it('allows another connect()', async () => {
    const { client, clock } = connected();
    client.close();
    client.connect();
    const again = client.ready();
    clock.advance(5);
    await again;
    expect(client.state).toBe('connected');
  });
});

describe('errors without a listener', () => {
  it('go to the console', () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { server, clock } = withFakeServer();
    const client = createClient({ url: 'ws://fake', clock, socket: server.socket, codec: jsonDialect });
    client.connect();
    clock.advance(5);
    server.link.close(4403);
    clock.advance(5);
    expect(logged).toHaveBeenCalledWith(
      expect.stringMatching(
        /^\[fanfare\] forbidden: ws:\S+: closed by the gateway: forbidden \(4403\); nothing more until connect\(\)$/,
      ),
    );
  });

  it('go to `log` instead, or nowhere', () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    const lines: string[] = [];
    for (const log of [(line: string) => lines.push(line), false] as const) {
      const { server, clock } = withFakeServer();
      const options = { url: 'ws://fake?token=secret', clock, socket: server.socket, codec: jsonDialect, log };
      createClient(options).connect();
      clock.advance(5);
      server.link.close(4403);
      clock.advance(5);
    }
    expect(lines).toEqual([expect.stringMatching(/^\[fanfare\] forbidden: ws:\/\/fake\S*: closed by the gateway/)]);
    expect(lines[0]).not.toContain('secret');
    expect(logged).not.toHaveBeenCalled();
  });

  it('is where an error of the error listener goes, without an end to it', () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { client, server, clock } = connected();
    client.on('error', () => {
      throw new Error('worse');
    });
    server.link.close(4403);
    clock.advance(5);
    expect(logged).toHaveBeenCalledTimes(1);
    expect(logged).toHaveBeenCalledWith(
      expect.stringMatching(
        /^\[fanfare\] handler_failed: ws:\S+: a listener failed: Error: worse; nothing more until connect\(\)$/,
      ),
      new Error('worse'),
    );
  });

  /** Makes promises as another library might: they are of another realm, and have `then` alone. */
  const Thenable: PromiseConstructor = runInNewContext('delete Promise.prototype.catch; Promise');

  it.each([
    ['async', () => Promise.reject(new Error('worse'))],
    ['thenable', () => Thenable.reject(new Error('worse'))],
  ])('is where a rejection of an %s error listener goes, once', async (_, listener) => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { client, server, clock } = connected();
    let calls = 0;
    client.on('error', () => {
      if (++calls > 10) return undefined;
      return listener();
    });
    server.link.close(4403);
    clock.advance(5);
    await settle();
    expect(calls).toBe(1);
    expect(logged).toHaveBeenCalledTimes(1);
  });
});
