import { type Channel, type Client, type ClientOptions, createClient, type Message } from '@fanfare/client';
import { Cable } from './cable.js';
import { CHAT, FLOOD, HELLO, READ, TICKER } from './channels.js';
import { Ledger } from './ledger.js';
import type { Delivery, Note, ReaderReport } from './reader-messages.js';

/** How much of the past a page begins with. */
const STARTS = {
  [TICKER]: { rewindMs: 30_000 },
  [CHAT]: { rewind: 50 },
  [HELLO]: { rewind: 10 },
  [FLOOD]: {},
} as const;

/** Deliveries are reported together, ms. */
const REPORT_EVERY_MS = 40;

/** Reads all channels over one connection and keeps the books. */
export class Reader {
  readonly #report: (report: ReaderReport) => void;
  readonly #client: Client;
  readonly #cable: Cable;
  readonly #ledgers: readonly Ledger[];
  #deliveries: Delivery[] = [];
  #reporting = false;
  #connections = 0;
  #lagged = 0;
  #lagging = false;
  /** It was told that there is no connection: further attempts that fail are no news. */
  #down = false;
  /** Interruptions of a channel whose extent is not known yet. */
  #open = 0;
  /** Caught up when the current interruption began; absent while there is none. */
  #caughtUpBefore: number | undefined;

  constructor(gateway: Pick<ClientOptions, 'url' | 'token'>, report: (report: ReaderReport) => void) {
    this.#report = report;
    this.#cable = new Cable({ onText: (text) => this.#onText(text) });
    // Soon back, so that the time offline is the one that was asked for.
    this.#client = createClient({ ...gateway, socket: this.#cable.socket, backoff: { baseMs: 200, maxMs: 1000 } });
    this.#client.on('state', ({ state, reason }) => this.#onState(state, reason));
    this.#client.on('error', ({ message }) => this.#note({ kind: 'failed', message }));
    this.#ledgers = READ.map((name) => this.#read(name));
    this.#client.connect();
  }

  cut(offlineMs: number): void {
    this.#note({ kind: 'cut', offlineMs });
    this.#cable.cut(offlineMs);
  }

  /** Blocks this thread: nothing is read, and the sockets' buffers fill from here back to the gateway. */
  freeze(forMs: number): void {
    this.#note({ kind: 'frozen', forMs });
    sleep(forMs);
    this.#note({ kind: 'thawed' });
    this.#progress();
    for (const ledger of this.#ledgers) this.#onResumed(ledger);
  }

  async publish(id: string, channel: string, data: unknown): Promise<void> {
    try {
      await this.#client.channel(channel).publish(data, { key: id });
      this.#report({ type: 'published', id });
    } catch (error) {
      this.#report({ type: 'published', id, error: (error as Error).message });
    }
  }

  #read(name: (typeof READ)[number]): Ledger {
    const ledger = new Ledger(name);
    const subscription = this.#client
      .channel(name)
      .subscribe((message) => this.#onMessage(ledger, message), STARTS[name]);
    subscription.on('subscribed', ({ position, again }) => {
      if (!again && position) ledger.start(position);
      this.#progress();
    });
    subscription.on('recovered', () => this.#onResumed(ledger));
    subscription.on('lagged', () => this.#onLagged());
    subscription.on('reset', ({ reason, position }) => {
      ledger.reset(position, reason === 'expired');
      this.#note({ kind: 'reset', channel: name, reason, position });
      this.#onResumed(ledger);
    });
    return ledger;
  }

  #onMessage(ledger: Ledger, { channel, epoch, offset, time, data }: Message): void {
    if (epoch === undefined || offset === undefined) return;
    const late = ledger.receive({ epoch, offset });
    this.#deliveries.push({ channel, offset, time, late, ...(channel !== FLOOD && { data }) });
    this.#progress();
  }

  /** Comes once for each channel. */
  #onLagged(): void {
    if (this.#lagging) return;
    this.#lagging = true;
    this.#lagged++;
    this.#note({ kind: 'lagged' });
    queueMicrotask(() => {
      this.#lagging = false;
    });
  }

  /** What was published meanwhile? The log's head says it. */
  async #onResumed(ledger: Ledger): Promise<void> {
    this.#caughtUpBefore ??= this.#caughtUp;
    this.#open++;
    const connection = this.#connections;
    const settle = ledger.resume();
    const head = await headOf(this.#client.channel(ledger.channel));
    // An answer over a later connection is about a later interruption too, which asks for itself.
    settle(connection === this.#connections ? head : undefined);
    this.#open--;
    this.#progress();
  }

  #onState(state: Client['state'], reason = ''): void {
    if (state === 'connected') {
      this.#down = false;
      this.#note({ kind: this.#connections++ === 0 ? 'connected' : 'reconnected' });
    }
    if (state === 'waiting' && !this.#down && reason !== 'cut' && reason !== 'no network') {
      this.#down = true;
      // A gateway that stops says for machines when to come back.
      this.#note({ kind: 'down', reason: reason.startsWith('{') ? 'the gateway is stopping' : reason });
    }
    this.#progress();
  }

  get #caughtUp(): number {
    return this.#ledgers.reduce((sum, { row }) => sum + row.caughtUp, 0);
  }

  #progress(): void {
    if (this.#reporting) return;
    this.#reporting = true;
    setTimeout(() => {
      this.#reporting = false;
      this.#send();
    }, REPORT_EVERY_MS);
  }

  #send(): void {
    const deliveries = this.#deliveries;
    this.#deliveries = [];
    const rows = this.#ledgers.map(({ row }) => row);
    const here = this.#open === 0 && rows.every(({ behind }) => behind === 0);
    const state = {
      connection: this.#client.state,
      node: this.#client.session?.node,
      reconnects: Math.max(0, this.#connections - 1),
      lagged: this.#lagged,
      catchingUp: !here,
      rows,
    };
    this.#report({ type: 'progress', state, deliveries });
    if (this.#caughtUpBefore === undefined || !here) return;
    this.#note({ kind: 'caughtUp', messages: this.#caughtUp - this.#caughtUpBefore });
    this.#caughtUpBefore = undefined;
  }

  #note(note: Note): void {
    this.#report({ type: 'note', note });
  }

  /** The page shows how the ticker is resumed, word by word. */
  #onText(text: string): void {
    if (/^\{"type":"subscribed?",/.test(text) && text.includes(`"${TICKER}"`)) this.#report({ type: 'frame', text });
  }
}

async function headOf(channel: Channel): Promise<number | undefined> {
  try {
    const { messages } = await channel.history({ limit: 1 });
    return messages.at(-1)?.offset;
  } catch {
    return undefined;
  }
}

/** Puts the thread to sleep, without a turn of its event loop, ms. */
function sleep(forMs: number): void {
  // Shared memory can be had this way in every page; `SharedArrayBuffer` only in isolated ones.
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  Atomics.wait(new Int32Array(buffer), 0, 0, forMs);
}
