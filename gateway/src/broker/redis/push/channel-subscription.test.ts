import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../record.js';
import { ChannelSubscription } from './channel-subscription.js';
import type { PushLink } from './push-link.js';

const link = {} as PushLink;

function subscribed() {
  let doubts = 0;
  const listener = { onRecord() {}, onInterrupted() {}, onResumed() {}, onDoubt: () => void doubts++ };
  const spec = { name: 'a', durable: true, historySize: 1, historyTtlMs: 1000 };
  const channel = new ChannelSubscription(spec, 0, listener, () => {});
  channel.asked(link);
  channel.acknowledged(link);
  return { channel, doubts: () => doubts };
}

it('is told one doubt until it has read the log', () => {
  const { channel, doubts } = subscribed();
  for (let second = 0; second < 5; second++) channel.doubt();
  expect(doubts()).toBe(1);
  channel.reading();
  channel.doubt();
  expect(doubts()).toBe(2);
});

it('is told again after a while, should it have had a reason not to read', () => {
  const { channel, doubts } = subscribed();
  for (let second = 0; second < 11; second++) channel.doubt();
  expect(doubts()).toBe(2);
});

it('is told no doubt while no link carries it', () => {
  const { channel, doubts } = subscribed();
  channel.lost();
  channel.doubt();
  expect(doubts()).toBe(0);
});

describe('across the links that carry it', () => {
  const record = { offset: 1 } as LogRecord;
  function setUp() {
    const told: string[] = [];
    const listener = {
      onRecord: () => told.push('record'),
      onInterrupted: () => told.push('interrupted'),
      onResumed: () => told.push('resumed'),
      onDoubt: () => told.push('doubt'),
    };
    const spec = { name: 'a', durable: true, historySize: 1, historyTtlMs: 1000 };
    return { told, channel: new ChannelSubscription(spec, 0, listener, () => told.push('first')) };
  }
  const [one, two] = [{} as PushLink, {} as PushLink];

  it('it is told of an interruption once it was on, and of its end, in turn', () => {
    const { told, channel } = setUp();
    channel.asked(one);
    // It was not on yet: nothing is interrupted.
    channel.lost();
    expect(channel.link).toBeUndefined();
    channel.asked(two);
    expect(channel.acknowledged(two)).toBe(false);
    channel.lost();
    channel.lost();
    expect([told, channel.isInterrupted]).toEqual([['first', 'interrupted'], true]);
    channel.asked(one);
    expect(channel.acknowledged(one)).toBe(true);
    expect([told, channel.isInterrupted]).toEqual([['first', 'interrupted', 'resumed'], false]);
  });

  it('what the one before still says is not heard', () => {
    const { told, channel } = setUp();
    channel.asked(one);
    channel.asked(two);
    expect(channel.acknowledged(one)).toBe(false);
    channel.deliver(one, record);
    expect(told).toEqual([]);
    channel.acknowledged(two);
    channel.deliver(two, record);
    channel.lost();
    channel.deliver(two, record);
    expect(told).toEqual(['first', 'record', 'interrupted']);
  });

  it('nothing is told once it has ended', () => {
    const { told, channel } = setUp();
    channel.asked(one);
    channel.acknowledged(one);
    channel.ended();
    channel.deliver(one, record);
    channel.doubt();
    channel.lost();
    expect([told, channel.link]).toEqual([['first'], undefined]);
  });
});
