import { onTestFinished } from 'vitest';
import type { Broker } from '../../src/broker/broker.js';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.js';
import { systemClock } from '../../src/clock.js';
import type { FindMembership } from '../../src/hub/exceptions.js';
import { Hub } from '../../src/hub/hub.js';
import type { HubOptions } from '../../src/hub/hub-options.js';
import type { Joined, Start, Subscriber } from '../../src/hub/subscriber.js';
import { createStats } from '../../src/stats.js';
import { framesIn } from './frames-in.js';
import { openChannel, plainSubscriber } from './plain-subscriber.js';

/** The channel of tests that need one only. */
export const CHANNEL = openChannel('a');

/** A hub over the memory broker, with some of its methods replaced; closed with the test. */
export function createHub(
  over: (memory: Broker) => Partial<Broker> = () => ({}),
  options: Partial<HubOptions> = {},
  findMembership?: FindMembership,
) {
  const memory = createMemoryBroker({ clock: systemClock });
  const stats = createStats();
  /** Frames that were published to topics, one by one, as text. */
  const sent: string[] = [];
  const transport = {
    publish(_: string, wire: string | Uint8Array) {
      for (const frame of framesIn(wire)) sent.push(JSON.stringify(frame));
    },
  };
  const hub = new Hub({
    broker: { ...memory, ...over(memory) },
    transport,
    clock: systemClock,
    stats,
    findMembership,
    onFault: () => {},
    options,
  });
  onTestFinished(() => hub.close());
  const publish = (text: string, channel = CHANNEL, format: 'json' | 'msgpack' = 'json') =>
    memory.publish(channel, [{ payload: { format, bytes: Buffer.from(text) } }]);
  return { hub, memory, stats, sent, publish };
}

/** Joins, and resolves once the subscriber is on the topic. @param over what differs from a plain subscriber */
export async function join(hub: Hub, channel = CHANNEL, start?: Start, over: Partial<Subscriber> = {}) {
  const replayed: string[] = [];
  const subscriber = { ...plainSubscriber((frame) => replayed.push(frame)), ...over };
  const membership = hub.enter(channel, subscriber);
  let joined: Joined | undefined;
  await membership.channel.join(membership, start, (answer) => {
    joined = answer;
  });
  return { joined, replayed };
}
