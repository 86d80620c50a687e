import { expect, it } from 'vitest';
import { createBackend, SCOPES } from '../auth/api-keys.js';
import type { Action, Identity } from '../auth/authenticator.js';
import { createOpenAuthenticator } from '../auth/open.js';
import { FanfareError } from '../errors.js';
import { type NamespaceSettings, Namespaces } from '../namespaces.js';
import { ChannelAccess } from './access.js';

const BACKEND = createBackend({ name: 'k', scopes: SCOPES, channels: ['*'] });

const OPEN: NamespaceSettings = {
  durable: true,
  historySize: 10,
  historyTtlMs: 60_000,
  subscribe: 'anyone',
  publish: 'anyone',
  presence: false,
  maxMessageBytes: 10,
};

const access = new ChannelAccess(
  new Namespaces(
    new Map<string, NamespaceSettings>([
      ['open', OPEN],
      ['live', { ...OPEN, durable: false }],
      ['closed', { ...OPEN, subscribe: 'token', publish: 'none' }],
    ]),
  ),
);

const anonymous = createOpenAuthenticator({ tokens: 'ignored' }).authenticate({
  token: undefined,
  remoteAddress: '127.0.0.1',
}) as Identity;

it.each<[who: string, identity: Identity | undefined, action: Action, channel: string, decision: string]>([
  ['an anonymous session', anonymous, 'subscribe', 'open:a', 'open:a'],
  ['an anonymous session', anonymous, 'publish', 'open:a', 'open:a'],
  ['an anonymous session', anonymous, 'history', 'open:a', 'open:a'],
  ['an anonymous session', anonymous, 'subscribe', 'closed:a', 'forbidden'],
  ['an anonymous session', anonymous, 'publish', 'closed:a', 'forbidden'],
  ['an anonymous session', anonymous, 'history', 'closed:a', 'forbidden'],
  ['an anonymous session', anonymous, 'history', 'live:a', 'bad_request'],
  ['an anonymous session', anonymous, 'publish', 'other:a', 'unknown_channel'],
  ['a session that has ended', undefined, 'subscribe', 'open:a', 'forbidden'],
  ['an API key', BACKEND, 'publish', 'closed:a', 'closed:a'],
  ['an API key', BACKEND, 'history', 'closed:a', 'closed:a'],
  ['an API key', BACKEND, 'history', 'live:a', 'bad_request'],
  ['an API key', BACKEND, 'publish', 'other:a', 'unknown_channel'],
])('%s (%o) that wants to %s on %s gets %s', (_, identity, action, channel, expected) => {
  const decision = access.decide({ entrance: 'ws', identity }, action, channel);
  expect(decision instanceof FanfareError ? decision.code : decision.name).toBe(expected);
});
