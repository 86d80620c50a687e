import { randomBytes } from 'node:crypto';
import type { ChannelSpec } from '../../src/broker/broker.js';
import type { NewMessage } from '../../src/broker/record.js';

/** A channel nobody else uses; durable, 1000 entries, a day. */
export function randomChannel(settings: Partial<ChannelSpec> = {}): ChannelSpec {
  return {
    name: `test:${randomBytes(6).toString('hex')}`,
    durable: true,
    historySize: 1000,
    historyTtlMs: 24 * 3600_000,
    ...settings,
  };
}

/** A message whose JSON payload is this value. */
export function jsonMessage(value: unknown, rest: Omit<NewMessage, 'payload'> = {}): NewMessage {
  return { ...rest, payload: { format: 'json', bytes: Buffer.from(JSON.stringify(value)) } };
}
