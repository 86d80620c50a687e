import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { expect, it } from 'vitest';
import { ANONYMOUS, createOpenAuthenticator } from '../auth/open.js';
import { createMemoryBroker } from '../broker/memory/memory-broker.js';
import { systemClock } from '../clock.js';
import { Hub } from '../hub/hub.js';
import { createStats } from '../stats.js';
import type { Socket } from '../transport/transport.js';
import type { Conversation, Greeting } from './conversation.js';
import type { SessionListener } from './services.js';
import { Sessions } from './sessions.js';

/** A conversation of a single word, which names the user: not the one of docs/PROTOCOL.md. */
const ONE_WORD: Conversation = {
  entrance: 'word',
  serves: () => true,
  greet: (): Greeting => ({
    subprotocol: undefined,
    dialect: RAW_DIALECTS.json,
    speakTo: (client) => ({
      onMessage: (data) => client.identify({ ...ANONYMOUS, user: Buffer.from(data).toString() }),
      toWire: (frame) => (frame.type === 'error' ? undefined : frame.type),
    }),
  }),
};

/** A conversation in which the gateway speaks first: whoever comes is `guest`. */
const GREETING: Conversation = {
  ...ONE_WORD,
  greet: (request): Greeting => ({
    ...ONE_WORD.greet(request),
    speakTo: (client) => ({
      onOpen() {
        client.reply({ type: 'ping' });
        client.identify({ ...ANONYMOUS, user: 'guest' });
      },
      onMessage() {},
      toWire: (frame) => `${client.id}: ${frame.type}`,
    }),
  }),
};

function setUp() {
  const off = Number.POSITIVE_INFINITY;
  const told: string[] = [];
  const listener: SessionListener = {
    onConnected: (client) => told.push(`${client.identity?.user} connected`),
    onClosed: (client) => told.push(`${client.identity?.user} closed`),
  };
  const stats = createStats();
  const onFault = (message: string) => told.push(message);
  const hub = new Hub({
    broker: createMemoryBroker({ clock: systemClock }),
    transport: { publish() {} },
    clock: systemClock,
    stats,
    onFault,
  });
  const sessions = new Sessions({
    services: {
      hub,
      authenticator: createOpenAuthenticator({ tokens: 'ignored' }),
      commands: {},
      listeners: [listener],
      clock: systemClock,
      stats,
      limits: { commandsPerSecond: off, bytesPerSecond: off, publishesPerSecond: off, subscriptions: off },
      onFault,
    },
    node: 'n1',
    timings: { pingIntervalMs: 25_000, pongTimeoutMs: 10_000, connectTimeoutMs: 10_000, lagMs: 60_000 },
  });
  const closes: [code: number, reason: string][] = [];
  const sent: unknown[] = [];
  const open = (remoteAddress: string, user?: string, conversation = ONE_WORD) => {
    const socket: Socket = {
      send(wire) {
        sent.push(wire);
        return 'sent';
      },
      cork: (callback) => callback(),
      subscribe() {},
      unsubscribe() {},
      bufferedBytes: 0,
      remoteAddress,
      close: (code, reason) => closes.push([code, reason]),
      terminate() {},
    };
    const request = { path: '/', query: '', subprotocols: [], header: () => '', remoteAddress };
    const session = sessions.open(socket, conversation, conversation.greet(request));
    if (user) session.onMessage(Buffer.from(user), false);
    return session;
  };
  return { sessions, stats, told, closes, sent, open };
}

it('finds sessions by id, user and address, from the open socket until it is gone', () => {
  const { sessions, stats, told, open } = setUp();
  const [a, b, stranger] = [open('10.0.0.1', 'ann'), open('10.0.0.1', 'ann'), open('10.0.0.2')];
  expect([...sessions]).toEqual([a, b, stranger]);
  expect(sessions.get(a.id)).toBe(a);
  expect(a.id).toMatch(/^n1-/);
  expect([...sessions.ofUser('ann')]).toEqual([a, b]);
  expect([...sessions.ofUser('bob')]).toEqual([]);
  expect([sessions.atAddress('10.0.0.1'), sessions.atAddress('10.0.0.2'), sessions.atAddress('?')]).toEqual([2, 1, 0]);
  a.close(4403, 'no');
  // Nothing reaches it any more, but its socket is still there.
  expect([...sessions.ofUser('ann')]).toEqual([b]);
  expect([sessions.size, sessions.atAddress('10.0.0.1'), stats.connections]).toEqual([3, 2, 3]);
  a.onClose(4403, 'no');
  b.onClose(1006, '');
  expect([sessions.size, sessions.atAddress('10.0.0.1'), stats.connections]).toEqual([1, 0, 1]);
  expect(sessions.get(a.id)).toBeUndefined();
  expect([...sessions.ofUser('ann')]).toEqual([]);
  expect(told).toEqual(['ann connected', 'ann connected', 'ann closed', 'ann closed']);
  sessions.close();
});

it('drains: everyone is sent elsewhere with a time to come back of its own, whether connected or not', async () => {
  const { sessions, closes, open } = setUp();
  for (let n = 1; n <= 10; n++) open('10.0.0.1', n % 2 ? `u${n}` : undefined);
  expect(sessions.isDraining).toBe(false);
  const drained = sessions.drain(1_000);
  expect(sessions.isDraining).toBe(true);
  // Who has nothing under way is told at once.
  expect(closes.map(([code]) => code)).toEqual(Array(10).fill(4000));
  const times = closes.map(([, reason]) => (JSON.parse(reason) as { retryAfter: number }).retryAfter);
  times
    .sort((a, b) => a - b)
    .forEach((time, part) => {
      expect(time).toBeGreaterThanOrEqual(part * 100);
      expect(time).toBeLessThanOrEqual((part + 1) * 100);
    });
  await drained;
  sessions.close();
});

it('a conversation may leave a frame untold', () => {
  const { sessions, sent, open } = setUp();
  const session = open('10.0.0.1', 'ann');
  session.reply({ type: 'error', code: 'internal', message: '', retryable: false });
  session.reply({ type: 'unsubscribed', channel: 'a' });
  expect(sent).toEqual(['unsubscribed']);
  sessions.close();
});

it('a conversation may speak first, once its session is known', () => {
  const { sessions, told, sent, open } = setUp();
  const session = open('10.0.0.1', undefined, GREETING);
  expect(sent).toEqual([`${session.id}: ping`]);
  expect([...sessions.ofUser('guest')]).toEqual([session]);
  expect(told).toEqual(['guest connected']);
  sessions.close();
});

it('a large reply waits until the client has read, and goes the way of every other frame', async () => {
  const { sessions, sent, open } = setUp();
  const session = open('10.0.0.1', 'ann');
  let isRead: () => void = () => {};
  const read = new Promise<void>((resolve) => {
    isRead = resolve;
  });
  session.writer.drained = () => read;
  const replied = session.replyDrained({
    type: 'history',
    id: 1,
    channel: 'a',
    messages: [],
    more: false,
    head: { epoch: '1', offset: 0 },
  });
  expect(sent).toEqual([]);
  isRead();
  await replied;
  expect(sent).toEqual(['history']);
  await session.replyDrained({ type: 'error', code: 'internal', message: '', retryable: false });
  expect(sent).toEqual(['history']);
  sessions.close();
});
