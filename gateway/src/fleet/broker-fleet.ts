import type { Broker, ChannelSpec, Subscription } from '../broker/broker.js';
import type { LogRecord } from '../broker/record.js';
import { type Cancel, type Clock, pause } from '../clock.js';
import {
  type Assembly,
  type ChannelInfo,
  type ChannelsAnswer,
  type ChannelsPage,
  type ChannelsQuery,
  type Fleet,
  mergeChannels,
  type NodeInfo,
  type NodesAnswer,
  type Shares,
  selectChannels,
} from './fleet.js';

interface BrokerFleetOptions {
  readonly broker: Pick<Broker, 'publish' | 'subscribe'>;
  readonly clock: Clock;
  /** Name of this life of this gateway process, which no other one has, even if two gateways are called the same. */
  readonly instance: string;
  readonly self: () => NodeInfo;
  readonly channels: () => Iterable<ChannelInfo>;
  readonly timings?: Partial<FleetTimings>;
}

export interface FleetTimings {
  /** Time between two signs of life. Default 5,000 ms. */
  readonly helloMs: number;
  /** Silence after which a gateway is forgotten. Default 12,500 ms. */
  readonly forgetMs: number;
  /** How long the other gateways have to answer a question. Default 1,000 ms. */
  readonly answerMs: number;
}

const FLEET_TIMINGS: FleetTimings = { helloMs: 5_000, forgetMs: 12_500, answerMs: 1_000 };

/** The channel that all gateways hear. Clients cannot subscribe to it, because their channel names have no spaces. */
const ALL = ' fleet';
const inboxOf = (instance: string) => `${ALL} ${instance}`;

interface Question {
  readonly ask: string;
  readonly query?: unknown;
}
type Share = object;

/**
 * What gateways say to each other, as JSON. Gateways of different versions talk to each other. So messages and their
 * parts only ever get further fields. A gateway ignores fields, and whole messages, that it does not know.
 */
type FleetMessage =
  | { readonly hello: string; readonly node: string; readonly isNew: boolean }
  | { readonly bye: string }
  | { readonly from: string; readonly id: number; readonly question: Question }
  /** An answer. Without a share: this gateway does not know the question, because a newer one asks it. */
  | { readonly answer: string; readonly id: number; readonly share?: Share };

interface Peer {
  readonly node: string;
  readonly seenAt: number;
}

/** A question under way. */
interface Round {
  readonly awaited: Map<string, string>;
  readonly shares: Share[];
  /** Names of gateways that do not know the question. */
  readonly unable: string[];
  settle(): void;
}

/**
 * Lets gateways find and ask each other over live channels of the broker that they share: one channel that all hear,
 * and one for each gateway, for the answers to it. It needs nothing special of the broker's engine; with the memory
 * broker there is no other gateway. While the broker is down, a gateway answers for itself, and names those that it
 * cannot reach.
 */
export class BrokerFleet implements Fleet, Assembly {
  readonly #options: BrokerFleetOptions;
  readonly #timings: FleetTimings;
  readonly #peers = new Map<string, Peer>();
  readonly #rounds = new Map<number, Round>();
  readonly #handlers = new Map<string, (query: unknown) => Share>();
  readonly #subscriptions: Subscription[] = [];
  #lastRound = 0;
  #cancelHello: Cancel = () => {};
  #isClosed = false;

  constructor(options: BrokerFleetOptions) {
    this.#options = options;
    this.#timings = { ...FLEET_TIMINGS, ...options.timings };
    this.answer('nodes', () => options.self());
    this.answer('channels', (query: ChannelsQuery) => selectChannels(options.channels(), query));
  }

  /** How many gateways are known to live, including this one. */
  get size(): number {
    return this.#peers.size + 1;
  }

  /** Joins the other gateways in the background, and tries for as long as it takes. */
  start(): void {
    const { instance } = this.#options;
    void Promise.all([this.#hear(inboxOf(instance)), this.#hear(ALL)]).then(() => {
      if (!this.#isClosed) this.#hello(true);
    });
  }

  /** Says good-bye to the other gateways, as far as that is possible at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelHello();
    for (const round of this.#rounds.values()) round.settle();
    this.#tell(ALL, { bye: this.#options.instance });
    await Promise.all(this.#subscriptions.map((subscription) => subscription.unsubscribe()));
  }

  async channels(query: ChannelsQuery): Promise<ChannelsAnswer> {
    const own = selectChannels(this.#options.channels(), query);
    const { shares, missing } = await this.#askOthers({ ask: 'channels', query });
    return { ...mergeChannels([own, ...(shares as ChannelsPage[])], query.limit), missing };
  }

  async nodes(): Promise<NodesAnswer> {
    const { shares, missing } = await this.#askOthers({ ask: 'nodes' });
    const nodes = [this.#options.self(), ...(shares as NodeInfo[])];
    return { nodes: nodes.sort((a, b) => (a.node < b.node ? -1 : 1)), missing };
  }

  answer<Query, Answer extends object>(question: string, handle: (query: Query) => Answer): void {
    this.#handlers.set(question, (query) => handle(query as Query));
  }

  async ask<Query extends object, Answer extends object>(question: string, query: Query): Promise<Shares<Answer>> {
    const own = this.#handlers.get(question)?.(query);
    // Gateways that have not said hello yet are asked too.
    const { shares, missing } = await this.#askOthers({ ask: question, query }, true);
    return { shares: [...(own ? [own] : []), ...shares] as Answer[], missing };
  }

  async #hear(name: string): Promise<void> {
    const { broker, clock } = this.#options;
    const listener = {
      onRecord: (record: LogRecord) => this.#onMessage(record),
      onInterrupted() {},
      onResumed() {},
      onDoubt() {},
    };
    for (let attempt = 0; !this.#isClosed; attempt++) {
      try {
        const subscription = await broker.subscribe(live(name), listener);
        if (this.#isClosed) return await subscription.unsubscribe();
        this.#subscriptions.push(subscription);
        return;
      } catch {
        await pause(clock, attempt);
      }
    }
  }

  #hello(isNew: boolean): void {
    const { instance, self, clock } = this.#options;
    this.#tell(ALL, { hello: instance, node: self().node, isNew });
    this.#cancelHello();
    this.#cancelHello = clock.after(this.#timings.helloMs, () => this.#hello(false));
  }

  /**
   * Sends a message to other gateways. If it cannot be delivered, that is like an answer that comes too late: nobody
   * waits for it.
   */
  #tell(channel: string, message: FleetMessage): void {
    this.#send(channel, message).catch(() => {});
  }

  async #send(channel: string, message: FleetMessage): Promise<void> {
    const payload = { format: 'json', bytes: Buffer.from(JSON.stringify(message)) } as const;
    const [outcome] = await this.#options.broker.publish(live(channel), [{ payload }]);
    if (outcome instanceof Error) throw outcome;
  }

  #onMessage(record: LogRecord): void {
    const message = parseMessage(record);
    const { instance } = this.#options;
    if (!message || this.#isClosed) return;
    if ('hello' in message) {
      if (message.hello === instance) return;
      this.#peers.set(message.hello, { node: message.node, seenAt: this.#options.clock.now() });
      if (message.isNew) this.#hello(false);
    } else if ('bye' in message) {
      this.#peers.delete(message.bye);
      for (const round of this.#rounds.values()) this.#excuse(round, message.bye);
    } else if ('question' in message) {
      if (message.from === instance) return;
      const share = this.#shareOf(message.question);
      this.#tell(inboxOf(message.from), { answer: instance, id: message.id, ...(share && { share }) });
    } else if ('answer' in message) {
      const round = this.#rounds.get(message.id);
      if (!round) return;
      if (message.share) round.shares.push(message.share);
      else round.unable.push(round.awaited.get(message.answer) ?? message.answer);
      this.#excuse(round, message.answer);
    }
  }

  #excuse(round: Round, instance: string): void {
    round.awaited.delete(instance);
    if (round.awaited.size === 0) round.settle();
  }

  /**
   * The answer of this gateway to a question; `undefined` if it does not know the question, because a newer gateway
   * asks it.
   */
  #shareOf(question: Question): Share | undefined {
    return this.#handlers.get(question.ask)?.(question.query);
  }

  /** @param needsSome whether it fails if no other gateway is known and none can be reached */
  async #askOthers(
    question: Question,
    needsSome = false,
  ): Promise<{ shares: readonly Share[]; missing: readonly string[] }> {
    const { clock, instance } = this.#options;
    const now = clock.now();
    for (const [peer, { seenAt }] of this.#peers) {
      if (now - seenAt > this.#timings.forgetMs) this.#peers.delete(peer);
    }
    const awaited = new Map(Array.from(this.#peers, ([peer, { node }]) => [peer, node]));
    const id = ++this.#lastRound;
    if (awaited.size === 0) {
      if (needsSome) await this.#send(ALL, { from: instance, id, question });
      return { shares: [], missing: [] };
    }
    const shares: Share[] = [];
    const unable: string[] = [];
    await new Promise<void>((resolve) => {
      const cancel = clock.after(this.#timings.answerMs, () => settle());
      const settle = () => {
        cancel();
        this.#rounds.delete(id);
        resolve();
      };
      this.#rounds.set(id, { awaited, shares, unable, settle });
      this.#tell(ALL, { from: instance, id, question });
    });
    return { shares, missing: [...awaited.values(), ...unable].sort() };
  }
}

/** Reads a message; `undefined` if the record is no message of a gateway. */
function parseMessage({ payload }: LogRecord): FleetMessage | undefined {
  try {
    const message: unknown = JSON.parse(Buffer.from(payload.bytes).toString());
    return typeof message === 'object' && message !== null ? (message as FleetMessage) : undefined;
  } catch {
    return undefined;
  }
}

function live(name: string): ChannelSpec {
  return { name, durable: false, historySize: 1, historyTtlMs: 1 };
}
