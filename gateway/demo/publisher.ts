import { type Client, type ClientOptions, createClient } from '@fanfare/client';
import { msgpackDialect } from '@fanfare/client/msgpack';
import {
  type Announcement,
  CHAT,
  clampRate,
  FLOOD,
  HELLO,
  PUBLISHERS,
  parseAnnouncement,
  parseTick,
  randomId,
  TICKER,
  type Tick,
} from './channels.js';
import { ANNOUNCE_EVERY_MS, Leadership } from './leadership.js';
import { Market } from './market.js';
import type { PublisherReport } from './publisher-messages.js';

const DEFAULT_RATE = 20;
/** The flood: more than the buffers of two kernels, a browser and a gateway hold together. */
const FLOOD_MESSAGES = 600;
const FLOOD_BYTES = 30_000;

/** Publishes over a connection of its own, in MessagePack; nothing that happens to the reader disturbs it. */
export class Publisher {
  readonly #gateway: Pick<ClientOptions, 'url' | 'token'>;
  readonly #report: (report: PublisherReport) => void;
  readonly #client: Client;
  readonly #leadership = new Leadership(randomId(), DEFAULT_RATE, performance.now());
  readonly #market = new Market();
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Ticks a second that the timer is set to. */
  #pace = 0;
  #seen = 0;

  constructor(gateway: Pick<ClientOptions, 'url' | 'token'>, report: (report: PublisherReport) => void) {
    this.#gateway = gateway;
    this.#report = report;
    this.#client = createClient({ ...gateway, codec: msgpackDialect });
    // Whoever leads next goes on from the last prices.
    this.#client.channel(TICKER).subscribe(({ data }) => this.#onTick(parseTick(data)), { rewind: 30 });
    for (const name of [CHAT, HELLO]) this.#client.channel(name).subscribe(() => this.#onSeen());
    this.#client.channel(PUBLISHERS).subscribe(({ data }) => this.#onAnnouncement(parseAnnouncement(data)));
    this.#client.on('state', ({ state }) => {
      if (state !== 'connected') this.#leadership.listen(performance.now());
      this.#update();
    });
    this.#client.connect();
    setInterval(() => this.#watch(), ANNOUNCE_EVERY_MS);
  }

  /** Of whichever page publishes. */
  setRate(rate: number): void {
    this.#leadership.rate = clampRate(rate);
    this.#announce();
    this.#update();
  }

  /** Over one more connection, so that ticks need not queue behind it. */
  async flood(): Promise<void> {
    const client = createClient({ ...this.#gateway, codec: msgpackDialect });
    client.connect();
    const filler = crypto.getRandomValues(new Uint8Array(FLOOD_BYTES));
    const channel = client.channel(FLOOD);
    const indices = Array.from({ length: FLOOD_MESSAGES }, (_, index) => index);
    // Reading them all twice would be too much: an acknowledged one is published.
    await Promise.allSettled(indices.map((index) => channel.publish({ index, filler }).then(() => this.#onSeen())));
    client.close();
  }

  #watch(): void {
    if (this.#client.state !== 'connected') return;
    this.#leadership.watch(performance.now());
    if (this.#leadership.leads) this.#announce();
    this.#update();
  }

  #onAnnouncement(announcement: Announcement | undefined): void {
    if (announcement) this.#leadership.hear(announcement, performance.now());
    this.#update();
  }

  #announce(): void {
    const { id, leads, rate } = this.#leadership;
    this.#publish(PUBLISHERS, { publisher: id, leads, rate } satisfies Announcement);
  }

  #onTick(tick: Tick | undefined): void {
    if (tick) this.#market.follow(tick);
    this.#onSeen();
  }

  #onSeen(): void {
    this.#seen++;
    this.#tell();
  }

  #update(): void {
    const { leads, rate } = this.#leadership;
    const pace = this.#client.state === 'connected' && leads ? rate : 0;
    if (pace !== this.#pace) {
      this.#pace = pace;
      clearInterval(this.#timer);
      if (pace > 0) this.#timer = setInterval(() => this.#publish(TICKER, this.#market.next()), 1000 / pace);
    }
    this.#tell();
  }

  #tell(): void {
    const { leads, rate } = this.#leadership;
    this.#report({ connected: this.#client.state === 'connected', leads, rate, seen: this.#seen });
  }

  /** What cannot be published is no loss: nobody was told that it was. */
  #publish(channel: string, data: unknown): void {
    this.#client
      .channel(channel)
      .publish(data)
      .catch(() => {});
  }
}
