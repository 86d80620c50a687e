import { expect, it } from 'vitest';
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
