import { describe, expect, it } from 'vitest';
import { BACKEND, namespaceSettings } from '../../test/support/namespace-settings.js';
import type { Broker, ChannelSpec } from '../broker/broker.js';
import { createMemoryBroker } from '../broker/memory/memory-broker.js';
import type { NewMessage } from '../broker/record.js';
import { systemClock } from '../clock.js';
import { FanfareError } from '../errors.js';
import { Namespaces } from '../namespaces.js';
import { createStats } from '../stats.js';
import type { Caller } from './access.js';
import { createChannels } from './channels.js';
import { oversize, type PublishEvent } from './publishing.js';

const SETTINGS = namespaceSettings({ maxMessageBytes: 4 });
const CHANNEL = { name: 'a', ...SETTINGS };
const LIVE = { ...CHANNEL, name: 'live:a', durable: false };
const caller: Caller = { entrance: 'pusher', identity: BACKEND };

const message = (text: string, key?: string): NewMessage => ({
  payload: { format: 'json', bytes: Buffer.from(text) },
  key,
});

function setUp(publish?: Broker['publish'], room: () => Promise<void> | undefined = () => undefined) {
  const broker = createMemoryBroker({ clock: systemClock });
  const stats = createStats();
  const events: PublishEvent[] = [];
  const faults: unknown[] = [];
  const { publishing } = createChannels({
    broker: { ...broker, publish: publish ?? broker.publish },
    namespaces: new Namespaces(new Map([['', SETTINGS]])),
    stats,
    room,
    listeners: [(event) => events.push(event)],
    onFault: (_, error) => faults.push(error),
  });
  return { publishing, stats, events, faults };
}

describe('a publish', () => {
  it('has an outcome for each message, told to listeners with who asked', async () => {
    const { publishing, events } = setUp();
    const messages = [message('1', 'k'), message('2', 'k'), message('3')];
    const outcomes = await publishing.publish(caller, CHANNEL, messages);
    expect(outcomes).toMatchObject([
      { position: { offset: 1 } },
      { position: { offset: 1 }, duplicate: true },
      { position: { offset: 2 } },
    ]);
    expect(events).toEqual(
      messages.map((one, index) => ({ caller, channel: CHANNEL, message: one, outcome: outcomes[index] })),
    );
  });

  it('is counted by entrance and kind of channel; duplicates and failures apart', async () => {
    const { publishing, stats } = setUp();
    await publishing.publish(caller, CHANNEL, [message('1', 'k'), message('1', 'k'), message('2')]);
    await publishing.publish({ ...caller, entrance: 'ws' }, LIVE, [message('1')]);
    expect(stats.publishedDurable).toEqual(new Map(Object.entries({ ws: 0, http: 0, pusher: 2 })));
    expect(stats.publishedLive).toEqual(new Map(Object.entries({ ws: 1, http: 0 })));
    expect(stats.duplicates).toBe(1);
    expect(stats.publishFailures.size).toBe(0);
  });

  it('that the broker refuses is an outcome of all its messages, and no fault', async () => {
    const refusal = new FanfareError('unavailable', 'the shard is down');
    const { publishing, stats, faults } = setUp(() => Promise.reject(refusal));
    expect(await publishing.publish(caller, CHANNEL, [message('1'), message('2')])).toEqual([refusal, refusal]);
    expect(stats.publishFailures).toEqual(new Map([['unavailable', 2]]));
    expect(faults).toEqual([]);
  });

  it('that fails unforeseen is told as `internal`, without the cause, which is reported', async () => {
    const cause = new Error('secret');
    const { publishing, faults } = setUp(async () => [cause]);
    const [outcome, missing] = await publishing.publish(caller, CHANNEL, [message('1'), message('2')]);
    expect(outcome).toMatchObject({ code: 'internal', message: 'internal error' });
    expect(missing).toMatchObject({ code: 'internal' });
    expect(faults).toEqual([cause, new Error('the broker gave no outcome')]);
  });

  it('is answered once there is room', async () => {
    let makeRoom = (): void => {};
    const room = new Promise<void>((resolve) => {
      makeRoom = resolve;
    });
    const { publishing, events } = setUp(undefined, () => room);
    const publishes = publishing.publish(caller, CHANNEL, [message('1')]);
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    expect(events).toEqual([]);
    makeRoom();
    expect(await publishes).toHaveLength(1);
  });

  it('asks the broker for a replica only where one is wanted', async () => {
    const asked: unknown[] = [];
    const { publishing } = setUp(async (_: ChannelSpec, messages, options) => {
      asked.push(options);
      return messages.map(() => ({}));
    });
    for (const replicas of [2, 'all', undefined] as const) {
      await publishing.publish(caller, CHANNEL, [message('1')], replicas);
    }
    expect(asked).toEqual([{ replicas: 2 }, { replicas: 'all' }, undefined]);
  });
});

it('a payload may be as large as the channel takes', () => {
  expect(oversize(CHANNEL, message('1234').payload)).toBeUndefined();
  expect(oversize(CHANNEL, message('12345').payload)).toMatchObject({ code: 'too_large' });
});
