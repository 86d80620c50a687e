import { expect, it } from 'vitest';
import type { UpgradeRequest } from '../transport/transport.js';
import { createAcceptor } from './acceptor.js';
import type { Conversation } from './conversation.js';
import type { Sessions } from './sessions.js';

function setUp(isDraining = false) {
  const opened: unknown[] = [];
  const sessions = { isDraining, open: (...args: unknown[]) => opened.push(args) } as unknown as Sessions;
  const conversation = (path: string): Conversation => ({
    entrance: path,
    serves: (asked) => asked === path,
    greet: ({ subprotocols: [first] }) => ({ subprotocol: first, dialect: {} as never, speakTo: () => ({}) as never }),
  });
  const accept = createAcceptor({
    sessions,
    conversations: [conversation('/ws'), conversation('/other')],
    isAllowedOrigin: (origin, host) => origin === '' || origin === `https://${host}`,
  });
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    accept({
      path,
      query: '',
      subprotocols: ['x', 'y'],
      header: (name: string) => headers[name] ?? '',
      remoteAddress: '',
    } as UpgradeRequest);
  return { ask, opened };
}

it('opens a session that speaks as its path says, with the subprotocol of that', () => {
  const { ask, opened } = setUp();
  for (const path of ['/ws', '/other']) {
    const result = ask(path);
    expect(result).toMatchObject({ accept: true, subprotocol: 'x' });
    if (result.accept) result.session({} as never);
  }
  expect(opened.map((args) => (args as [unknown, Conversation])[1].entrance)).toEqual(['/ws', '/other']);
});

it.each([
  ['a path where nobody speaks', false, '/', {}, 404],
  ['a gateway that stops', true, '/ws', {}, 503],
  ['a page of elsewhere', false, '/ws', { origin: 'https://evil.example', host: 'example.com' }, 403],
])('refuses %s, and opens nothing', (_, isDraining, path, headers, status) => {
  const { ask, opened } = setUp(isDraining);
  expect(ask(path, headers)).toMatchObject({ accept: false, status });
  expect(opened).toEqual([]);
});

it('takes a page of the origin that may, and whoever has none', () => {
  const { ask } = setUp();
  expect(ask('/ws', { origin: 'https://example.com', host: 'example.com' }).accept).toBe(true);
  expect(ask('/ws', { host: 'example.com' }).accept).toBe(true);
});
