/** What tests of a broker need: channels of their own, messages, and a subscriber that remembers. */
import { randomUUID } from 'node:crypto';
import type { Broker, ChannelSpec, LogPage, PublishOutcome, Subscription } from '../../src/broker/broker.js';
import type { LogPosition, LogRecord, NewMessage } from '../../src/broker/record.js';

/** A durable channel that nobody else uses; `name` is put in front of what makes it unique. */
export function durableChannel({ name = 't:', ...settings }: Partial<ChannelSpec> = {}): ChannelSpec {
  return { durable: true, historySize: 10_000, historyTtlMs: 60_000, ...settings, name: `${name}${unique()}` };
}

export function liveChannel(name?: string): ChannelSpec {
  return durableChannel({ durable: false, ...(name === undefined ? {} : { name }) });
}

export function unique(): string {
  return randomUUID().slice(0, 13);
}

/** A message with this value as its JSON payload. */
export function json(value: unknown, rest: Omit<NewMessage, 'payload'> = {}): NewMessage {
  return { payload: { format: 'json', bytes: Buffer.from(JSON.stringify(value)) }, ...rest };
}

/** `count` messages with the payloads `from`, `from + 1`, ... */
export function numbered(count: number, from = 1): NewMessage[] {
  return Array.from({ length: count }, (_, i) => json(from + i));
}

export function payloadText(record: LogRecord): string {
  return Buffer.from(record.payload.bytes).toString();
}

export function payloadValue(record: LogRecord): unknown {
  return JSON.parse(payloadText(record));
}

/** @throws the outcome, if it is an error. */
export function positionOf(outcome: PublishOutcome | undefined): LogPosition {
  if (outcome instanceof Error) throw outcome;
  if (!outcome?.position) throw new Error('the outcome has no position');
  return outcome.position;
}

export async function publishOne(broker: Broker, channel: ChannelSpec, message: NewMessage): Promise<LogPosition> {
  const [outcome] = await broker.publish(channel, [message]);
  return positionOf(outcome);
}

/** Head, lineage and every entry, read page by page. */
export async function readAll(broker: Broker, channel: ChannelSpec): Promise<LogPage> {
  const entries: LogRecord[] = [];
  let after: LogPosition = { epoch: 0, offset: 0 };
  for (;;) {
    const page = await broker.read(channel, { after, limit: 1000 });
    entries.push(...page.entries);
    if (!page.more) return { ...page, entries };
    after = page.entries.at(-1) ?? after;
  }
}

export function offsets(records: readonly { readonly offset: number }[]): number[] {
  return records.map((record) => record.offset);
}

/** from, from + 1, ..., to */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Lets the event loop turn once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Calls until the result is true. @throws after `timeoutMs`. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(5);
  }
}

/** A subscriber that remembers everything it was told. */
export interface Collector {
  readonly records: readonly LogRecord[];
  readonly interruptions: number;
  readonly subscription: Subscription;
  /** Waits until at least so many records came. @throws after 20 s. */
  received(count: number): Promise<void>;
}

export async function collect(broker: Broker, channel: ChannelSpec): Promise<Collector> {
  const records: LogRecord[] = [];
  let interruptions = 0;
  const subscription = await broker.subscribe(channel, {
    onRecord: (record) => records.push(record),
    onInterrupted: () => interruptions++,
    onResumed: () => {},
    onDoubt: () => {},
  });
  return {
    records,
    subscription,
    get interruptions() {
      return interruptions;
    },
    received(count) {
      return eventually(() => records.length >= count, `${count} records on ${channel.name}, got ${records.length}`);
    },
  };
}
