import { type Client, createClient, type Subscription } from '@fanfare/client';
import type { Dialect } from '@fanfare/protocol';
import { StampReader } from '../audit/payload.js';
import type { Receipts } from '../audit/receipts.js';
import { nowUs } from '../clock.js';
import type { Tally } from '../run/tally.js';
import { SdkSocket } from './sdk-socket.js';
import type { Stall } from './stall.js';

interface SdkContext {
  readonly tally: Tally;
  readonly dialect: Dialect;
  /** A subscriber computes the checksum of every n-th message, where n is this number. */
  readonly verifyEvery: number;
  /** Returns where to connect. It is called for every connection. */
  url(subscriber: SdkSubscriber): string;
  token(subscriber: SdkSubscriber): string | undefined;
  hasBegun(): boolean;
}

const stamp = new StampReader();

/**
 * A subscriber as applications have it: the SDK with its own reconnects and resumes. What the SDK had to mend (holes
 * and repetitions) counts as an offence, because a gateway makes none.
 */
export class SdkSubscriber {
  readonly label: string;
  readonly index: number;
  readonly receipts: readonly Receipts[];
  onReady: () => void = () => {};
  reconnects = true;
  state: 'closed' | 'opening' | 'ready' | 'refused' = 'closed';
  readonly #context: SdkContext;
  #client: Client | undefined;
  readonly #socket: SdkSocket;
  #subscriptions: readonly Subscription<unknown>[] = [];
  #mended = { gaps: 0, duplicates: 0 };

  constructor(
    { label, index, receipts }: { label: string; index: number; receipts: readonly Receipts[] },
    context: SdkContext,
  ) {
    this.label = label;
    this.index = index;
    this.receipts = receipts;
    this.#context = context;
    this.#socket = new SdkSocket(() => context.url(this));
  }

  open(): void {
    const { tally, dialect, token } = this.#context;
    const beganUs = nowUs();
    this.state = 'opening';
    tally.pending++;
    const client = createClient({
      url: this.#context.url(this),
      backoff: { baseMs: 100, maxMs: 2_000 },
      connectTimeoutMs: 3_000,
      token: token(this),
      joinsPerSecond: 100_000,
      codec: dialect,
      socket: this.#socket.factory,
    });
    this.#client = client;
    client.on('error', ({ message }) => tally.error(message));
    client.on('state', ({ state, code = 0, reason = '' }) => {
      if (state === 'failed') this.#refused(code, reason);
    });
    const subscriptions = this.receipts.map((receipts, index) => this.#subscribe(client, receipts, index));
    this.#subscriptions = subscriptions;
    client.connect();
    Promise.all(subscriptions.map((one) => one.ready())).then(
      () => {
        if (this.state !== 'opening') return;
        for (const [index, one] of subscriptions.entries()) this.#begin(this.receipts[index] as Receipts, one);
        tally.pending--;
        tally.connections++;
        tally.connecting.record(nowUs() - beganUs);
        this.state = 'ready';
        this.onReady();
      },
      (error: Error) => tally.error(error.message),
    );
  }

  close(): void {
    this.settle();
    this.#leave();
    this.#client?.close();
    this.#client = undefined;
  }

  #leave(): void {
    const { tally } = this.#context;
    if (this.state === 'opening') tally.pending--;
    else if (this.state === 'ready') tally.connections--;
    this.state = 'closed';
  }

  /** Called when the SDK has given up, as the protocol asks. */
  #refused(code: number, reason: string): void {
    this.#leave();
    this.state = 'refused';
    this.#context.tally.refuse(code, reason);
  }

  cut(): void {
    this.#socket.cut();
  }

  get stall(): Stall {
    return this.#socket.stall;
  }

  /** Counts what the SDK mended since the last call, and notes where each channel goes on. */
  settle(): void {
    if (!this.#client) return;
    for (const [index, { position }] of this.#subscriptions.entries())
      if (position) this.receipts[index]?.enters(position.epoch, position.offset + 1);
    const { gaps, duplicatesDropped } = this.#client.stats;
    const { tally } = this.#context;
    const channel = this.receipts[0]?.channel ?? '';
    const told = { channel, subscriber: this.label };
    const detail = 'the SDK found and mended it';
    if (gaps > this.#mended.gaps) tally.offend('holes', { ...told, detail }, gaps - this.#mended.gaps);
    const again = duplicatesDropped - this.#mended.duplicates;
    if (again > 0) tally.offend('duplicated', { ...told, detail }, again);
    this.#mended = { gaps, duplicates: duplicatesDropped };
  }

  #begin(receipts: Receipts, subscription: Subscription<unknown>): void {
    if (receipts.hasBegun) return;
    receipts.begin(subscription.position?.offset ?? 0, !this.#context.hasBegun());
  }

  #subscribe(client: Client, receipts: Receipts, index: number): Subscription<unknown> {
    const { tally } = this.#context;
    const subscription = client.channel<unknown>(receipts.channel).subscribe(({ data, epoch, offset = 0 }) => {
      if (!receipts.hasBegun) receipts.begin(receipts.isDurable ? offset - 1 : 0, !this.#context.hasBegun());
      this.#count(receipts, data, epoch, offset);
    });
    subscription.on('reset', ({ reason, previous, position }) => {
      receipts.reset(reason, previous, position);
      const detail = `${reason}: from ${previous.epoch}-${previous.offset} to ${position.epoch}-${position.offset}`;
      const { channel } = receipts;
      tally.offend('resets', {
        channel,
        subscriber: this.label,
        epoch: previous.epoch,
        offset: previous.offset,
        detail,
      });
    });
    subscription.on('error', ({ message }) => tally.error(`channel ${index}: ${message}`));
    return subscription;
  }

  #count(receipts: Receipts, data: unknown, epoch: string | undefined, offset: number): void {
    const { tally, verifyEvery } = this.#context;
    const bytes = Buffer.from(String(data), 'latin1');
    const { channel } = receipts;
    const where = { channel, subscriber: this.label, epoch, offset };
    const isOurs = stamp.read(bytes, 0) && stamp.length === bytes.length;
    const isVerified = isOurs && (stamp.n + this.index) % verifyEvery === 0;
    if (!isOurs || (isVerified && !stamp.isIntact(bytes, 0))) {
      tally.offend('corrupted', { ...where, detail: `not as it was published: ${String(data).slice(0, 60)}` });
      return;
    }
    tally.received++;
    tally.bytes += bytes.length;
    tally.audit.received++;
    if (isVerified) tally.audit.verified++;
    tally.latency.record(nowUs() - stamp.dueUs);
    const { stream, n } = stamp;
    receipts.enters(epoch, offset);
    const wrong = receipts.take(stream, n, offset);
    if (wrong) tally.offend(wrong, { ...where, stream, n, detail: `message ${n} of stream ${stream}` });
  }
}
