/** Changes of members as they travel between gateways: as records of a live channel that accompanies the channel. */
import type { Broker, ChannelSpec, Subscription } from '../broker/broker.js';
import type { LogRecord } from '../broker/record.js';
import { changesChannel, type PresenceChange, type PresenceListener } from './presence-store.js';

export function changesSpec(channel: string): ChannelSpec {
  return { name: changesChannel(channel), durable: false, historySize: 1, historyTtlMs: 1 };
}

export function watchChanges(
  broker: Pick<Broker, 'subscribe'>,
  channel: string,
  listener: PresenceListener,
): Promise<Subscription> {
  return broker.subscribe(changesSpec(channel), {
    onRecord(record) {
      const change = parseChange(record);
      if (change) listener.onChange(change);
    },
    onInterrupted: () => listener.onInterrupted(),
    onResumed: () => listener.onResumed(),
    onDoubt() {},
  });
}

/** Reads a pushed change of presence. `undefined`: the bytes were not written by a gateway. */
function parseChange({ payload }: LogRecord): PresenceChange | undefined {
  try {
    const change = JSON.parse(Buffer.from(payload.bytes).toString()) as PresenceChange;
    return typeof change?.rev === 'number' ? change : undefined;
  } catch {
    return undefined;
  }
}
