import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import { describe, expect, it } from 'vitest';
import { createHub } from '../../test/support/hub-kit.js';
import { openChannel, plainSubscriber } from '../../test/support/plain-subscriber.js';
import { withExcept } from '../broker/extensions.js';
import type { Membership } from './channel.js';
import type { Subscriber } from './subscriber.js';

/** A hub on which what reaches whom is written down in order. */
async function setUp(channel = openChannel('a')) {
  const memberships = new Map<string, Membership>();
  const { hub, memory, sent } = createHub(undefined, {}, (session, name) =>
    name === channel.name ? memberships.get(session) : undefined,
  );
  const join = async (session: string, over: Partial<Subscriber> = {}) => {
    const note = (what: string) => sent.push(`${session} ${what}`);
    const subscriber: Subscriber = {
      ...plainSubscriber((frame) => note(`is sent ${frame}`)),
      session,
      subscribe: () => note('enters'),
      unsubscribe: () => note('leaves'),
      ...over,
    };
    const membership = hub.enter(channel, subscriber);
    memberships.set(session, membership);
    await membership.channel.join(membership, undefined, () => {});
  };
  const publish = (...excepts: (string | undefined)[]) =>
    memory.publish(
      channel,
      excepts.map((except, nth) => {
        const plain = { payload: { format: 'json' as const, bytes: Buffer.from(String(nth)) } };
        return except === undefined ? plain : withExcept(plain, except);
      }),
    );
  /** What happened since the last call, messages and positions by their offset or data. */
  const happened = async (count: number) => {
    await expect.poll(() => sent.length).toBeGreaterThanOrEqual(count);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return sent.splice(0).map((line) =>
      line.replace(/\{.*?"type":"(\w+)".*?\}/g, (frame, type) => {
        const { offset = '', data = '' } = JSON.parse(frame) as { offset?: number; data?: unknown };
        return type === 'message' ? `message ${offset}/${data}` : `${type} ${offset}`;
      }),
    );
  };
  return { hub, join, publish, happened, memberships };
}

describe('a message that a session does not get', () => {
  it('is published while that one is off the topic, who is sent its position in the same step', async () => {
    const { join, publish, happened } = await setUp();
    await join('one');
    await join('two');
    expect(await happened(2)).toEqual(['one enters', 'two enters']);
    await publish(undefined, 'one', undefined);
    expect(await happened(6)).toEqual([
      'one leaves',
      'message 1/0',
      'message 2/1',
      'message 3/2',
      'one enters',
      'one is sent [message 1/0,position 2,message 3/2]',
    ]);
    await publish(undefined);
    expect(await happened(1)).toEqual(['message 4/0']);
  });

  it('is nothing at all on a live channel', async () => {
    const { join, publish, happened } = await setUp(openChannel('l', false));
    await join('one');
    await publish('one');
    const lines = await happened(4);
    expect(lines.slice(0, 2)).toEqual(['one enters', 'one leaves']);
    expect(lines.slice(3)).toEqual(['one enters']);
  });

  it('takes nobody off who is not excepted, on another channel, or not here', async () => {
    const { join, publish, happened } = await setUp();
    await join('one');
    await publish('somebody elsewhere');
    expect(await happened(2)).toEqual(['one enters', 'message 1/0']);
  });

  it('one who lags while it is taken off is not put back', async () => {
    const { join, publish, happened, memberships } = await setUp();
    let isTold = false;
    const unsubscribe = () => {
      if (isTold) return;
      isTold = true;
      memberships.get('slow')?.leave();
    };
    await join('slow', { unsubscribe });
    await join('other');
    await happened(2);
    await publish('slow');
    expect(await happened(1)).toEqual(['message 1/0']);
    expect(memberships.get('slow')?.isLive).toBe(false);
  });

  it('is passed over in a replay, too', async () => {
    const { hub, publish, happened, memberships } = await setUp();
    const keeper = hub.enter(openChannel('a'), plainSubscriber());
    await keeper.channel.join(keeper, undefined, () => {});
    await publish('one', undefined);
    await happened(2);
    const replayed: string[] = [];
    const membership = hub.enter(openChannel('a'), {
      ...plainSubscriber((frame) => replayed.push(frame)),
      session: 'one',
      dialect: RAW_DIALECTS.json,
    });
    memberships.set('one', membership);
    await membership.channel.join(membership, { rewind: 10 }, () => {});
    expect(replayed.map((frame) => JSON.parse(frame))).toMatchObject([
      { type: 'position', offset: 1 },
      { type: 'message', offset: 2, data: 1 },
    ]);
  });
});
