import type { Position } from '@fanfare/protocol';
import { jsonDialect } from '@fanfare/protocol/json';
import { msgpackDialect } from '@fanfare/protocol/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClient } from './client.js';
import type { Message, ResetEvent } from './message.js';
import type { PublishResult } from './publishing.js';
import type { Subscription } from './subscription-types.js';
import { type FakeLog, type LogEntry, LogServer, settle, VirtualClock } from './testing/index.js';

const CHANNEL = 'chat:1';

type Step =
  | { readonly do: 'publish' | 'skip' | 'repeat' | 'cut' | 'freeze' | 'drain'; readonly count: number }
  | { readonly do: 'takeOver' | 'lose' | 'trim' | 'forget' | 'lag' | 'ownPublish'; readonly count: number }
  | { readonly do: 'join' | 'leave' | 'loop' | 'read' | 'malformed' | 'unreachable' | 'wait'; readonly count: number };

const weights: Record<Step['do'], number> = {
  publish: 10,
  wait: 10,
  ownPublish: 3,
  cut: 3,
  repeat: 2,
  skip: 2,
  lag: 2,
  takeOver: 2,
  lose: 1,
  trim: 1,
  forget: 1,
  freeze: 1,
  drain: 1,
  malformed: 1,
  unreachable: 1,
  join: 2,
  loop: 2,
  read: 4,
  leave: 2,
};

const steps = fc.array(
  fc.oneof(
    ...Object.entries(weights).map(([name, weight]) => ({
      weight,
      arbitrary: fc.record({ do: fc.constant(name as Step['do']), count: fc.integer({ min: 1, max: 6 }) }),
    })),
  ),
  { minLength: 1, maxLength: 40 },
);

/** Returns whether the gateway keeps a message from its members, if it hides any. */
const isHidden = (data: number): boolean => data % 3 === 1;

/** Returns whether a reader at `before` has missed nothing when it is given the message at this offset. */
function follows(log: FakeLog, before: Position, offset: number, hides: boolean): boolean {
  if (!hides || offset <= before.offset) return offset === before.offset + 1;
  const between = [...log.everStored.values()].filter(
    (entry) => entry.offset > before.offset && entry.offset < offset && isHidden(entry.data as number),
  );
  return new Set(between.map((entry) => entry.offset)).size === offset - before.offset - 1;
}

/** Keeps what one subscription was given, and compares it with the promise at once. */
class Ledger {
  readonly subscription: Subscription<number>;
  readonly #log: FakeLog;
  readonly #hides: boolean;
  readonly resets: ResetEvent[] = [];
  at: Position | undefined;

  constructor(
    log: FakeLog,
    hides: boolean,
    subscribe: (handler: (message: Message<number>) => void) => Subscription<number>,
  ) {
    this.#log = log;
    this.#hides = hides;
    this.subscription = subscribe((message) => this.#take(message));
    this.subscription.on('subscribed', ({ position }) => {
      this.at ??= position;
    });
    this.subscription.on('reset', (reset) => {
      this.resets.push(reset);
      this.at = reset.position;
    });
    this.at = this.subscription.position;
  }

  #take({ epoch, offset, data }: Message<number>): void {
    if (epoch === undefined || offset === undefined) throw new Error('no position');
    const before = this.at as Position;
    if (!follows(this.#log, before, offset, this.#hides)) throw new Error(`${offset} after ${before.offset}`);
    expect(data).toBe(this.#log.everStored.get(`${epoch}-${offset}`)?.data);
    expect(this.subscription.position).toEqual({ epoch, offset });
    this.at = { epoch, offset };
  }
}

/** Does the same for a `for await` loop, which may be slow: it sees a reset only when it gets there. */
class LoopLedger {
  readonly subscription: Subscription<number>;
  readonly resets: ResetEvent[] = [];
  readonly #iterator: AsyncIterator<Message<number>>;
  readonly #log: FakeLog;
  readonly #hides: boolean;
  #at: Position | undefined;
  #resetsSeen = 0;

  constructor(log: FakeLog, hides: boolean, subscription: Subscription<number>) {
    this.#log = log;
    this.#hides = hides;
    this.subscription = subscription;
    this.#iterator = subscription[Symbol.asyncIterator]();
    this.#at = subscription.position;
    subscription.on('subscribed', ({ position }) => {
      this.#at ??= position;
    });
    subscription.on('reset', (reset) => this.resets.push(reset));
  }

  async read(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const { value } = await this.#iterator.next();
      if (value !== undefined) this.#take(value);
    }
  }

  /** Reads until nothing is left. */
  async finish(advance: () => void): Promise<void> {
    const done = () => this.#at?.offset === this.#log.head.offset && this.#at.epoch === this.#log.head.epoch;
    for (let turn = 0; turn < 500 && !done(); turn++) {
      void this.read(1);
      advance();
      await settle();
    }
  }

  #take({ epoch, offset, data }: Message<number>): void {
    if (epoch === undefined || offset === undefined) throw new Error('no position');
    while (!follows(this.#log, this.#at as Position, offset, this.#hides)) {
      const reset = this.resets[this.#resetsSeen++];
      if (!reset) throw new Error(`${offset} after ${this.#at?.offset}`);
      this.#at = reset.position;
    }
    expect(data).toBe(this.#log.everStored.get(`${epoch}-${offset}`)?.data);
    this.#at = { epoch, offset };
  }
}

async function play(script: readonly Step[], seed: number, dialect = jsonDialect, hides = false): Promise<void> {
  const clock = new VirtualClock({ seed });
  const latencyMs = () => Math.floor(clock.random() * 20);
  const skips = script.some((step) => step.do === 'skip');
  const coverage = {
    hides: ({ data }: LogEntry) => hides && isHidden(data as number),
    tells: () => clock.random() < 0.5,
    // A frame that begins before what was skipped would say that it covers that.
    overlap: () => (skips ? 0 : Math.floor(clock.random() * 4)),
    joins: () => clock.random() < 0.5,
  };
  const server = new LogServer({ clock, dialect, latencyMs, coverage });
  const failures: unknown[] = [];
  const client = createClient({ url: 'ws://fake', clock, socket: server.socket, codec: dialect });
  client.on('error', (error) => {
    if (error.code !== 'malformed_frame') failures.push(error.cause ?? error);
  });
  const log = server.log(CHANNEL);
  const ledgers: Ledger[] = [];
  const loops: LoopLedger[] = [];
  const broken: unknown[] = [];
  const join = () =>
    ledgers.push(new Ledger(log, hides, (handler) => client.channel<number>(CHANNEL).subscribe(handler)));
  let next = 0;
  let lossy = false;
  const refused: string[] = [];
  const acknowledged: { readonly data: number; readonly at: PublishResult }[] = [];

  join();
  client.connect();
  clock.advance(100);
  for (const { do: action, count } of script) {
    const link = server.link;
    if (action === 'publish') for (let n = 0; n < count; n++) server.publish(CHANNEL, next++);
    if (action === 'wait') clock.advance(count * 40);
    if (action === 'repeat') server.repeat(link, CHANNEL);
    if (action === 'skip') server.skip(link, CHANNEL, next++);
    if (action === 'cut') link.cut();
    if (action === 'freeze') link.freeze();
    if (action === 'lag') server.lag(link, count * 10);
    if (action === 'takeOver') server.takeOver(CHANNEL);
    if (action === 'lose') server.takeOver(CHANNEL, count);
    if (action === 'trim') log.trim(count);
    if (action === 'forget') log.forgetLineage();
    if (action === 'drain') link.close(4000, JSON.stringify({ retryAfter: count * 10 }));
    if (action === 'malformed') link.sendWire(dialect.binary ? new Uint8Array([0xc1]) : '{');
    if (action === 'unreachable') {
      server.reachable = false;
      clock.after(count * 100, () => {
        server.reachable = true;
      });
    }
    if (action === 'join') join();
    if (action === 'loop') {
      const subscription = client.channel<number>(CHANNEL).subscribe(undefined, { maxQueue: count });
      loops.push(new LoopLedger(log, hides, subscription));
    }
    if (action === 'read') {
      loops[count % loops.length]?.read(count).catch((error) => broken.push(error));
      await settle();
    }
    if (action === 'leave') ledgers[count % ledgers.length]?.subscription.unsubscribe();
    if (action === 'ownPublish') {
      const data = next++;
      client
        .channel(CHANNEL)
        .publish(data)
        .then(
          (at) => acknowledged.push({ data, at }),
          (error) => refused.push(error.code),
        );
    }
    if (['lose', 'trim', 'forget'].includes(action)) lossy = true;
  }
  clock.advance(180_000);
  // All members get the last message.
  while (isHidden(next)) next++;
  server.publish(CHANNEL, next++);
  clock.advance(1_000);

  for (const loop of loops) await loop.finish(() => clock.advance(200));

  expect([...failures, ...broken]).toEqual([]);
  expect(client.state).toBe('connected');
  for (const { subscription, resets } of [...ledgers, ...loops]) {
    if (subscription.state === 'unsubscribed') continue;
    expect(subscription.state).toBe('subscribed');
    // A border is one place with two names: a client that missed the start of the last epoch may hold the older one.
    expect(subscription.position?.offset).toBe(log.head.offset);
    expect(log.judge(subscription.position as Position).reason).toBeUndefined();
    if (!lossy) expect(resets).toEqual([]);
  }
  // A reset is told only of a position that is no good, and what a log has lost does not come back. If the gateway
  // skipped a message, it believes the client to be further on than it is.
  if (!skips) {
    const resets = [...ledgers, ...loops].flatMap((ledger) => ledger.resets);
    expect(resets.filter(({ previous }) => log.judge(previous).reason === undefined)).toEqual([]);
  }
  await settle();
  for (const { data, at } of acknowledged) expect(log.everStored.get(`${at.epoch}-${at.offset}`)?.data).toBe(data);
  // A key makes every outcome known, except in a long outage.
  expect(refused.filter((code) => code !== 'timeout' && code !== 'outcome_unknown')).toEqual([]);
  if (!lossy) {
    const stored = log.entries.map(({ data }) => data);
    expect(new Set(stored).size).toBe(stored.length);
  }
  client.close();
  clock.advance(60_000);
  expect(clock.pending).toBe(0);
}

describe('a client under random accidents', () => {
  it('gives every message once and in order, or tells a reset', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer(), (script, seed) => play(script, seed)),
      { numRuns: 3_000 },
    );
  });

  it('does so where frames cover several offsets', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer(), (script, seed) => play(script, seed, jsonDialect, true)),
      { numRuns: 3_000 },
    );
  });

  it('does so where a slow reader saw what the log lost, and its offset was given away again', async () => {
    const script = ['loop', 'publish', 'lose', 'wait', 'read', 'freeze', 'loop'] as const;
    await play(
      script.map((action) => ({ do: action, count: 1 })),
      0,
      msgpackDialect,
      true,
    );
  });

  it('does so where a slow loop goes on over another connection than that on which it paused', async () => {
    const script = ['publish', 'drain', 'loop', 'wait', 'wait', 'read'] as const;
    await play(
      script.map((action) => ({ do: action, count: 1 })),
      0,
      jsonDialect,
      true,
    );
  });

  it('does so in MessagePack', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer(), (script, seed) => play(script, seed, msgpackDialect, seed % 2 === 0)),
      { numRuns: 200 },
    );
  });
});
