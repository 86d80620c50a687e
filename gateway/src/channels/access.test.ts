import { expect, it } from 'vitest';
import { BACKEND, namespaceSettings } from '../../test/support/namespace-settings.js';
import { createBackend } from '../auth/api-keys.js';
import type { Application } from '../auth/application.js';
import type { Action, Identity } from '../auth/authenticator.js';
import { createOpenAuthenticator } from '../auth/open.js';
import { NO_PERMISSIONS, Permissions } from '../auth/permissions.js';
import { FanfareError } from '../errors.js';
import { type NamespaceSettings, Namespaces } from '../namespaces.js';
import { ChannelAccess } from './access.js';

const OPEN = namespaceSettings();

const access = new ChannelAccess(
  new Namespaces(
    new Map<string, NamespaceSettings>([
      ['open', OPEN],
      ['live', { ...OPEN, durable: false }],
      ['closed', { ...OPEN, subscribe: 'token', publish: 'none' }],
      ['own', { ...OPEN, subscribe: 'owner', publish: 'authenticated', historyAccess: 'token' }],
      ['seen', { ...OPEN, presence: true, presenceAccess: 'token' }],
      ['asked', { ...OPEN, subscribe: 'hook', publish: 'hook' }],
    ]),
  ),
);

const anonymous = createOpenAuthenticator({ tokens: 'ignored' }).authenticate({
  token: undefined,
  remoteAddress: '127.0.0.1',
}) as Identity;

/** A backend that may do less than everything. */
const READER = createBackend({ name: 'r', scopes: ['read'], channels: ['open:*'] });
const ada: Identity = { user: 'ada', grants: NO_PERMISSIONS };
/** Her token has permissions for all of it. */
const granted: Identity = {
  user: 'bob',
  grants: new Permissions([['*', ['subscribe', 'publish', 'history', 'presence']]]),
};

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
  ['an API key without the scope', READER, 'publish', 'open:a', 'forbidden'],
  ['an API key with the scope', READER, 'history', 'open:a', 'open:a'],
  ['an API key of other channels', READER, 'history', 'own:ada', 'forbidden'],
  ['a user', ada, 'subscribe', 'own:ada', 'own:ada'],
  ['a user', ada, 'subscribe', 'own:bob', 'forbidden'],
  ['a user', ada, 'publish', 'own:bob', 'own:bob'],
  ['an anonymous session', anonymous, 'publish', 'own:bob', 'forbidden'],
  ['a user', ada, 'history', 'own:ada', 'forbidden'],
  ['a user', ada, 'presence', 'open:a', 'bad_request'],
  ['a user', ada, 'presence', 'seen:a', 'forbidden'],
  ['a token', granted, 'presence', 'seen:a', 'seen:a'],
  ['a token', granted, 'subscribe', 'closed:a', 'closed:a'],
  ['a token', granted, 'publish', 'closed:a', 'forbidden'],
  ['a token', granted, 'history', 'own:ada', 'own:ada'],
  ['a token', granted, 'subscribe', 'asked:a', 'forbidden'],
])('%s (%o) that wants to %s on %s gets %s', (_, identity, action, channel, expected) => {
  const decision = access.decide({ entrance: 'ws', identity }, action, channel);
  expect(decision instanceof FanfareError ? decision.code : decision.name).toBe(expected);
});

it('a channel token adds to what its session may do, on its channel alone', () => {
  const grants = new Permissions([['closed:a', ['subscribe']]]);
  const caller = {
    entrance: 'ws',
    identity: ada,
    grantOn: (name: string) => (name === 'closed:a' ? grants : undefined),
  };
  expect(access.decide(caller, 'subscribe', 'closed:a')).toMatchObject({ name: 'closed:a' });
  expect(access.decide(caller, 'subscribe', 'closed:b')).toMatchObject({ code: 'forbidden' });
});

it('the application says who may, where the namespace says so, and may change what is published', async () => {
  const questions: string[] = [];
  const application: Pick<Application, 'permits' | 'rule'> = {
    permits: async ({ action, channel, identity }) => {
      questions.push(`${identity.user} ${action} ${channel}`);
      return channel === 'asked:a';
    },
    rule: async ({ channel }, message) => (channel === 'asked:a' ? { ...message, user: 'changed' } : undefined),
  };
  const asking = new ChannelAccess(
    new Namespaces(new Map([['asked', { ...OPEN, subscribe: 'hook', publish: 'hook' }]])),
    application as Application,
  );
  const caller = { entrance: 'ws', identity: ada };
  const message = { payload: { format: 'json', bytes: Buffer.from('1') } } as const;
  expect(await asking.permit(caller, 'subscribe', 'asked:a')).toMatchObject({ name: 'asked:a' });
  expect(await asking.permit(caller, 'subscribe', 'asked:b')).toMatchObject({ code: 'forbidden' });
  expect(questions).toEqual(['ada subscribe asked:a', 'ada subscribe asked:b']);
  expect(await asking.permitMessage(caller, 'asked:a', message)).toMatchObject({ message: { user: 'changed' } });
  expect(await asking.permitMessage(caller, 'asked:b', message)).toMatchObject({ code: 'forbidden' });
  // Nobody is there any more: nobody is asked for.
  expect(await asking.permit({ entrance: 'ws', identity: undefined }, 'subscribe', 'asked:a')).toMatchObject({
    code: 'forbidden',
  });
  expect(questions).toHaveLength(2);
});
