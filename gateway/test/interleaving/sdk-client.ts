import { type Client, createClient, type FanfareClientError, type Subscription } from '@fanfare/client';
import { type AnyChannelLedger, type At, ChannelLedger, LiveChannelLedger } from './channel-ledger.js';
import { partsOf } from './line.js';
import type { Asked } from './pages.js';
import { dataOf } from './payloads.js';
import { LiveReaderLedger, type ReaderLedger } from './reader-ledger.js';
import { type ClientWorld, type Joining, positionOf, SimulatedClient } from './simulated-client.js';

interface Reader {
  readonly subscription: Subscription;
  readonly ledger: ReaderLedger | LiveReaderLedger;
}

/** Most readers of one client on one channel; one more, and the oldest goes. */
const MAX_READERS = 3;

/** The real SDK on the virtual network. */
export class SdkClient extends SimulatedClient {
  readonly #client: Client;
  readonly #keys: boolean;
  readonly #readers = new Map<string, Reader[]>();
  /** Slow readers that wait to be let on. */
  #waiting: (() => void)[] = [];
  #isSlow = true;

  constructor(name: string, around: ClientWorld) {
    super(name, around);
    this.#keys = around.choose(4) > 0;
    this.#client = createClient({
      url: 'ws://virtual/ws',
      clock: around.world,
      codec: this.dialect,
      autoKey: this.#keys,
      socket: (_request, handlers) => {
        const { send, close } = this.connect(handlers);
        return { send, close, terminate: () => close(1006) };
      },
    });
    this.#client.on('error', (error) => this.problem(String(error)));
    this.#client.connect();
  }

  override join(channel: AnyChannelLedger, { beginning: wanted, isSlow }: Joining): void {
    const { name } = channel.spec;
    const readers = this.#readers.get(name) ?? [];
    this.#readers.set(name, readers);
    if (readers.length >= MAX_READERS) this.leave(channel);
    // A channel of a client is rewound once, for whoever comes first.
    const isRewound = 'rewind' in wanted || 'rewindMs' in wanted;
    const beginning = channel instanceof LiveChannelLedger || (isRewound && readers.length > 0) ? {} : wanted;
    const subscription = this.#client.channel(name).subscribe({ ...beginning, ...(isSlow && { maxQueue: 2 }) });
    const ledger = this.openLedger(channel);
    const reader = { subscription, ledger };
    readers.push(reader);
    subscription.on('error', (error) => this.problem(`on ${name}: ${String(error)}`));
    const take = bookkeeper(ledger, beginning, () => this.around.world.wall());
    if (isSlow) void this.#readSlowly(reader, take);
    else {
      for (const type of ['subscribed', 'message', 'reset', 'lagged'] as const)
        subscription.on(type, (event) => take({ type, event } as Told));
    }
  }

  override leave(channel: AnyChannelLedger): void {
    this.#readers.get(channel.spec.name)?.shift()?.subscription.unsubscribe();
  }

  override publish(channel: AnyChannelLedger, n: number, key: string | undefined): void {
    const data = dataOf(n);
    const { name } = channel.spec;
    this.unanswered++;
    this.#client
      .channel(name)
      .publish(data, { key })
      .then(
        (result) => this.takePublished(channel, n, data, result),
        (error: FanfareClientError) => {
          const isKeyed = (key !== undefined || this.#keys) && channel instanceof ChannelLedger;
          if (error.code === 'outcome_unknown' && !isKeyed) return;
          if (error.code !== 'timeout') this.problem(`could not publish ${n}: ${String(error)}`);
          else if (channel.held(n)) this.problem(`was told that ${n} is not published, and it is`);
        },
      )
      .finally(() => this.unanswered--);
  }

  override ask(channel: ChannelLedger, asked: Asked): void {
    const { after, before, limit } = asked;
    this.unanswered++;
    this.#client
      .channel(channel.spec.name)
      .history({ after, before, limit })
      .then(
        ({ messages, more }) =>
          this.takePage(channel, asked, { more, messages: messages.map((one) => ({ ...positionOf(one), ...one })) }),
        (error: FanfareClientError) => {
          if (error.code === 'bad_request') this.takeReason(channel, asked, error.reason);
          else if (error.code !== 'timeout') this.problem(`could not read: ${String(error)}`);
        },
      )
      .finally(() => this.unanswered--);
  }

  override read(count: number): void {
    this.#isSlow = Number.isFinite(count);
    for (const go of this.#waiting.splice(0, count)) go();
  }

  override positionsOn({ spec: { name } }: ChannelLedger): readonly At[] {
    return (this.#readers.get(name) ?? []).flatMap(({ subscription: { position } }) => (position ? [position] : []));
  }

  protected override close(): void {
    for (const readers of this.#readers.values()) {
      for (const { subscription, ledger } of readers) {
        if (!(ledger instanceof LiveReaderLedger) && ledger.at && subscription.position)
          ledger.moved(subscription.position);
        ledger.finish(readers.length > 1);
      }
    }
    const { gaps, duplicatesDropped } = this.#client.stats;
    this.takeMended(gaps, duplicatesDropped);
    this.#client.close();
  }

  async #readSlowly({ subscription, ledger }: Reader, take: (told: Told) => void): Promise<void> {
    for await (const told of subscription.events()) {
      // What waits for a loop may be read after the end; then nothing more is promised.
      if (!this.#readers.get(subscription.channel)?.some((reader) => reader.ledger === ledger)) return;
      take(told as Told);
      if (told.type === 'message' && this.#isSlow) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

type Events = Subscription extends { events(): AsyncIterable<infer Each> } ? Each : never;
type Told = Events;

/** Enters what a subscription tells into its books. */
function bookkeeper(
  ledger: ReaderLedger | LiveReaderLedger,
  beginning: Joining['beginning'],
  nowMs: () => number,
): (told: Told) => void {
  if (ledger instanceof LiveReaderLedger) {
    return ({ type, event }) => {
      if (type === 'subscribed') ledger.begins();
      else if (type === 'lagged') ledger.missed();
      else if (type === 'message') ledger.message(event.data);
    };
  }
  if ('since' in beginning) ledger.stands(beginning.since);
  return ({ type, event }) => {
    if (type === 'subscribed') {
      if (ledger.at === undefined && event.position) ledger.begins(beginning, event.position, nowMs());
    } else if (type === 'message') {
      const at = positionOf(event);
      ledger.message(at, partsOf(at.offset, event.data));
    } else if (type === 'reset') {
      // `epoch` and `position` frames may have moved it.
      ledger.moved(event.previous);
      ledger.reset(event.reason, event.position);
    }
  };
}
