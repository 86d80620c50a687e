import type { Client, Position, Subscription } from '@fanfare/client';
import { createClient, nodeSocket } from '@fanfare/client';
import type { LogPosition } from '../../src/broker/record.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import type { SubscriberBook, Told } from './ledger.js';

/** What is published. */
export interface Payload {
  readonly n: number;
}

/**
 * A real SDK client on one channel that writes down what it is told. It may use any of the gateways: it
 * begins at its home, and tries the next one whenever a connection ends.
 */
export class Subscriber {
  readonly channel: string;
  readonly told: Told[] = [];
  readonly #client: Client;
  readonly #gateways: readonly GatewayProcess[];
  #home: number;
  #drop = () => {};
  #subscription: Subscription<Payload> | undefined;
  #start: LogPosition | undefined;

  constructor(channel: string, gateways: readonly GatewayProcess[], home: number) {
    this.channel = channel;
    this.#gateways = gateways;
    this.#home = home;
    this.#client = createClient({
      url: 'ws://127.0.0.1/ws', // the socket goes where the subscriber is at home
      backoff: { baseMs: 100, maxMs: 1_000 },
      connectTimeoutMs: 10_000,
      socket: (request, handlers) => {
        const { wsUrl } = this.#gateways[this.#home] as GatewayProcess;
        let isOver = false;
        const onClose = (code: number, reason: string) => {
          if (isOver) return;
          isOver = true;
          this.#home = (this.#home + 1) % this.#gateways.length;
          handlers.onClose(code, reason);
        };
        const socket = nodeSocket({ ...request, url: wsUrl }, { ...handlers, onClose });
        this.#drop = () => {
          socket.terminate();
          onClose(1006, 'cut by the test');
        };
        return socket;
      },
    });
    this.#client.on('error', () => {}); // what it could not be told shows in the books
  }

  /** Which of the gateways it uses. */
  get home(): number {
    return this.#home;
  }

  /** Resolves once it is subscribed. */
  async start(): Promise<void> {
    this.#client.connect();
    const subscription = this.#client.channel<Payload>(this.channel).subscribe(({ data, epoch, offset }) => {
      this.told.push({
        kind: 'message',
        when: Date.now(),
        at: { epoch: Number(epoch), offset: offset ?? 0 },
        n: data.n,
      });
    });
    this.#subscription = subscription;
    subscription.on('reset', ({ reason, position, previous }) => {
      this.told.push({ kind: 'reset', when: Date.now(), reason, from: numeric(previous), at: numeric(position) });
    });
    await subscription.ready();
    this.#start = numeric(subscription.position as Position);
  }

  /** Where it stands. */
  get position(): LogPosition | undefined {
    const position = this.#subscription?.position;
    return position && numeric(position);
  }

  /** When it was first given a message after this time, ms. */
  heardAfter(time: number): number | undefined {
    return this.told.find(({ kind, when }) => kind === 'message' && when > time)?.when;
  }

  /** Loses its connection and goes to the next gateway. */
  move(): void {
    this.#drop();
  }

  close(): SubscriberBook {
    const { told } = this;
    const nowhere = { epoch: 0, offset: 0 };
    const { gaps, duplicatesDropped } = this.#client.stats;
    const book = {
      start: this.#start ?? nowhere,
      end: this.position ?? nowhere,
      told,
      hidden: gaps + duplicatesDropped,
    };
    this.#client.close();
    return book;
  }
}

function numeric({ epoch, offset }: Position): LogPosition {
  return { epoch: Number(epoch), offset };
}
