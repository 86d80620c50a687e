import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createHub } from '../../test/support/hub-kit.js';
import { openChannel, plainSubscriber } from '../../test/support/plain-subscriber.js';
import type { Identity } from '../auth/authenticator.js';
import { Permissions } from '../auth/permissions.js';
import { ChannelAccess } from '../channels/access.js';
import { Namespaces } from '../namespaces.js';
import type { Client } from './client.js';
import { Memberships } from './memberships.js';
import { createStanding } from './standing.js';

const { name: _, ...open } = openChannel('any');
const token = { ...open, subscribe: 'token' as const };

/** A client whose token says this, and what it is told. */
async function setUp(subscribe: readonly string[], allowed: readonly string[] = subscribe) {
  const { hub } = createHub();
  const faults: string[] = [];
  const told: string[] = [];
  const access = new ChannelAccess(new Namespaces(new Map([['t', token]])));
  const standing = createStanding({ channels: { access }, onFault: (message) => faults.push(message) });
  const memberships = new Memberships(hub, plainSubscriber(), 10, { onEntered() {}, onLeft() {} });
  const identityOf = (channels: readonly string[], names: readonly string[]): Identity => ({
    user: 'ada',
    grants: new Permissions(channels.map((name) => [name, ['subscribe']])),
    subscribe: names,
  });
  const client = {
    identity: identityOf(allowed, subscribe),
    entrance: 'ws',
    isClosed: false,
    memberships,
    reply: (frame: { type: string; channel?: string; code?: string }) =>
      told.push([frame.type, frame.channel, frame.code].filter(Boolean).join(' ')),
    takeOff(name: string, { code }: { code: string }) {
      memberships.unsubscribe(name);
      told.push(`taken off ${name} ${code}`);
    },
  };
  const settle = async () => {
    for (let n = 0; n < 20; n++) await nextTurn();
  };
  const connect = async () => {
    standing.onConnected?.(client as unknown as Client);
    await settle();
  };
  const refresh = async (channels: readonly string[], names: readonly string[] = []) => {
    client.identity = identityOf(channels, names);
    standing.onRefreshed?.(client as unknown as Client);
    await settle();
  };
  return { client, told, faults, memberships, connect, refresh };
}

it('puts a client on the channels that its token names, and tells it of each', async () => {
  const { told, memberships, connect, faults } = await setUp(['t:a', 't:b']);
  await connect();
  expect([...memberships.names()].sort()).toEqual(['t:a', 't:b']);
  expect(told.sort()).toEqual(['subscribed t:a', 'subscribed t:b']);
  expect(faults).toEqual([]);
});

it('tells it of one that it may not be on, or that is none, and goes on with the others', async () => {
  const { told, memberships, connect } = await setUp(['t:no', 'other:a', 't:a'], ['t:a']);
  await connect();
  expect([...memberships.names()]).toEqual(['t:a']);
  expect(told.sort()).toEqual([
    'subscribed t:a',
    'unsubscribed other:a unknown_channel',
    'unsubscribed t:no forbidden',
  ]);
});

it('takes it off what a new token does not allow any more, and puts it on what that names', async () => {
  const { told, memberships, connect, refresh } = await setUp(['t:a', 't:b']);
  await connect();
  told.length = 0;
  await refresh(['t:b', 't:c'], ['t:b', 't:c']);
  expect([...memberships.names()].sort()).toEqual(['t:b', 't:c']);
  // It stays where it was on t:b, without a word.
  expect(told).toEqual(['taken off t:a forbidden', 'subscribed t:c']);
});

it('does nothing for a client that is gone', async () => {
  const { client, told, memberships, connect } = await setUp(['t:a']);
  client.isClosed = true;
  await connect();
  expect([told, memberships.size]).toEqual([[], 0]);
});
