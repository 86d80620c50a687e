import type { Redis } from 'ioredis';
import type { Cancel, Clock } from '../../../clock.js';
import { Deadline, within } from '../../../redis/deadline.js';
import { type LinkOptions, openLink, parseInfo } from '../../../redis/link.js';
import type { RedisAddress } from '../../../redis/url.js';
import { Semaphore } from '../../../semaphore.js';
import type { ReadRange } from '../../broker.js';
import { logScript } from '../scripts/scripts.js';
import { type BufferLimit, pagesAtATime, readBufferLimit } from './output-buffer.js';

export interface PushLinkOptions {
  readonly clock: Clock;
  readonly link: LinkOptions;
  readonly timings: PushLinkTimings;
  /** Largest message that may be published, bytes. */
  readonly maxMessageBytes: number;
}

export interface PushLinkTimings {
  /** How long a new connection may take to show that it leads to a master, ms. */
  readonly handshakeMs: number;
  /** Time between two heartbeats, ms. */
  readonly heartbeatMs: number;
  /** A connection on which nothing came for this long counts as lost, ms: a heartbeat and the time to answer it. */
  readonly silenceMs: number;
}

interface PushLinkEvents {
  /** A record was pushed. The bytes belong to the one who is called. */
  onPush(name: string, record: Buffer): void;
  /** The server ended these subscriptions, because their slot moved. */
  onGone(names: string[]): void;
  /** The link is lost. Called at most once, and not for `end`. */
  onLost(reason: string): void;
}

/** Most reads at a time that ask for no entries, whose answers are small. */
const LOOKS_AT_A_TIME = 512;
const FENCE = 'fence';
/** The only eviction policy under which a log keeps what was acknowledged. */
export const SAFE_POLICY = 'noeviction';
const OUT_OF_STEP = 'its replies are out of step';

/** By what we recognise the server that we connected to. */
interface ServerIdentity {
  readonly role: string;
  readonly replicationId: string;
  readonly evictionPolicy: string;
}

/**
 * One life of a subscribing connection to one master: from the handshake, in which the server showed
 * that it is a master with its data loaded, until it is lost. Pushes, heartbeats and reads of the log
 * share the connection, so that what is read and what is pushed are one view.
 */
export class PushLink {
  readonly redis: Redis;
  readonly address: RedisAddress;
  /** `master_replid` of the server. If it changes, the logs there are not the same any more. */
  readonly replicationId: string;
  readonly #pages: Semaphore;
  readonly #looks = new Semaphore(LOOKS_AT_A_TIME);
  readonly #clock: Clock;
  readonly #timings: PushLinkTimings;
  readonly #events: PushLinkEvents;
  readonly #silence: Deadline;
  /** Subscriptions that the server acknowledged and that were not asked to end. */
  readonly #names = new Set<string>();
  #operationsPending = 0;
  #operationsBegun = 0;
  #pushed: [Buffer, Buffer][] = [];
  #cancelHeartbeat: Cancel;
  #checkingGone = false;
  #verifying: Promise<boolean> | undefined;
  #evictionPolicy: string;
  #open = true;

  /** Connects. Rejects with one clear line if this is no master that serves. */
  static async open(address: RedisAddress, options: PushLinkOptions, events: PushLinkEvents) {
    const { clock, link, timings } = options;
    const redis = await openLink(address, link, clock, timings.handshakeMs);
    try {
      // So no channel is refused by NOSCRIPT. Where SCRIPT LOAD is not allowed, the script comes with its first use.
      redis.script('LOAD', logScript.source).catch(() => {});
      const asked = Promise.all([
        redis.call('INFO', 'replication', 'memory', 'persistence') as Promise<string>,
        readBufferLimit(redis),
      ]);
      const [told, limit] = await within(clock, timings.handshakeMs, 'INFO', asked);
      const info = parseInfo(told);
      if (info.get('role') === undefined) throw new Error('it holds no data: a sentinel, perhaps');
      if (info.get('role') !== 'master') throw new Error('it is a replica');
      if (info.get('loading') !== '0') throw new Error('it is loading its data');
      return new PushLink(redis, address, identityOf(info), limit, options, events);
    } catch (error) {
      redis.disconnect();
      throw error;
    }
  }

  private constructor(
    redis: Redis,
    address: RedisAddress,
    { replicationId, evictionPolicy }: ServerIdentity,
    limit: BufferLimit | undefined,
    options: PushLinkOptions,
    events: PushLinkEvents,
  ) {
    this.redis = redis;
    this.address = address;
    this.replicationId = replicationId;
    this.#evictionPolicy = evictionPolicy;
    this.#clock = options.clock;
    this.#timings = options.timings;
    this.#pages = new Semaphore(pagesAtATime(limit, options.maxMessageBytes));
    this.#events = events;
    this.#silence = new Deadline(this.#clock, this.#timings.silenceMs, () => this.#lose('nothing came from it'));
    this.#cancelHeartbeat = this.#scheduleHeartbeat();
    redis.stream.on('data', () => this.#silence.restart());
    redis.on('smessageBuffer', (name: Buffer, record: Buffer) => this.#onPush(name, record));
    redis.on('moved', () => this.#checkGone());
    redis.on('end', () => this.#lose('the connection ended'));
    if (redis.status !== 'ready') this.#clock.soon(() => this.#lose('the connection ended'));
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /**
   * What makes this master unfit although it serves, by its last heartbeat. The checks at start saw only the masters of
   * that time.
   */
  get warning(): string | undefined {
    if (this.#evictionPolicy === SAFE_POLICY) return undefined;
    return `maxmemory-policy is ${this.#evictionPolicy}; it must be ${SAFE_POLICY}, any other drops logs`;
  }

  /** Runs a read of the log when its turn has come. Every read on this link passes here. */
  read<T>({ limit }: Pick<ReadRange, 'limit'>, task: () => Promise<T>): Promise<T> {
    return (limit === 0 ? this.#looks : this.#pages).run(task);
  }

  /** Subscribes to these names, which must share a slot. Resolves once the server has acknowledged all of them. */
  subscribe(names: readonly string[]): Promise<void> {
    return this.#operate(async () => {
      await this.redis.ssubscribe(...names);
      for (const name of names) this.#names.add(name);
    });
  }

  /**
   * Ends the subscriptions to these names, which must share a slot. Resolves once the server has forgotten them.
   *
   * If the slot moves away just then, ioredis takes the server's unasked `sunsubscribe` for the reply, and the reply,
   * an error, for that of the next command: from there on each reply goes to the wrong command. So the next command is
   * one whose reply shows that.
   */
  unsubscribe(names: readonly string[]): Promise<void> {
    for (const name of names) this.#names.delete(name);
    return this.#operate(async () => {
      const unsubscribed = this.redis.sunsubscribe(...names);
      this.redis.ping(FENCE).then(
        (reply) => reply === FENCE || this.#lose(OUT_OF_STEP),
        ({ message }: Error) => isRefusedPing(message) || this.#lose(OUT_OF_STEP),
      );
      await unsubscribed;
    });
  }

  /** Whether the server, asked from now on, is still the master it was. The link is lost if not. */
  verify(): Promise<boolean> {
    this.#verifying ??= new Promise((resolve) => {
      this.#clock.soon(async () => {
        this.#verifying = undefined;
        if (this.#open) await this.#ask();
        resolve(this.#open);
      });
    });
    return this.#verifying;
  }

  /** Treats the connection as lost. */
  lose(reason: string): void {
    this.#lose(reason);
  }

  /** Ends the link without calling `onLost`. */
  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#silence.cancel();
    this.#cancelHeartbeat();
    this.redis.disconnect();
  }

  #lose(reason: string): void {
    if (!this.#open) return;
    this.end();
    this.#events.onLost(reason);
  }

  async #operate(run: () => Promise<void>): Promise<void> {
    this.#operationsBegun++;
    this.#operationsPending++;
    try {
      await run();
    } finally {
      this.#operationsPending--;
    }
  }

  /**
   * Takes a push. Pushes wait until every reply of the same chunk has been handled. So the head that a reader of the
   * log is told is never older than what was pushed before that.
   */
  #onPush(name: Buffer, record: Buffer): void {
    this.#pushed.push([name, record]);
    if (this.#pushed.length === 1) queueMicrotask(() => process.nextTick(() => this.#deliver()));
  }

  #deliver(): void {
    const pushed = this.#pushed;
    this.#pushed = [];
    for (const [name, record] of pushed) {
      // A copy, because the chunk that both point into may be far larger than what is kept of it.
      if (this.#open) this.#events.onPush(name.toString(), Buffer.from(record));
    }
  }

  /** Finds out which subscriptions the server ended, by comparison: ioredis says only that some were ended. */
  #checkGone(): void {
    if (this.#checkingGone) return;
    this.#checkingGone = true;
    this.#clock.soon(() => {
      this.#checkingGone = false;
      if (this.#open) this.#reportGone();
    });
  }

  #reportGone(): void {
    const { condition } = this.redis;
    const held = new Set(condition?.subscriber ? condition.subscriber.channels('ssubscribe') : []);
    const gone = [...this.#names].filter((name) => !held.has(name));
    if (gone.length === 0) return;
    for (const name of gone) this.#names.delete(name);
    this.#events.onGone(gone);
  }

  #scheduleHeartbeat(): Cancel {
    return this.#clock.after(this.#timings.heartbeatMs, async () => {
      await this.#ask();
      if (this.#open) this.#cancelHeartbeat = this.#scheduleHeartbeat();
    });
  }

  async #ask(): Promise<void> {
    const begun = this.#operationsBegun;
    const isQuiet = this.#operationsPending === 0;
    try {
      const [info, client] = await Promise.all([
        this.redis.call('INFO', 'replication', 'memory') as Promise<string>,
        this.redis.client('INFO').catch(() => ''), // not everybody may ask this
      ]);
      const identity = identityOf(parseInfo(info));
      if (identity.role !== 'master') return this.#lose('it is no master any more');
      if (identity.replicationId !== this.replicationId) return this.#lose('its replication id changed');
      this.#evictionPolicy = identity.evictionPolicy;
      if (isQuiet && begun === this.#operationsBegun) this.#compareSubscriptions(String(client));
    } catch (error) {
      this.#lose((error as Error).message);
    }
  }

  /**
   * Compares our subscriptions with the number that the server counts, which shows what it dropped without our
   * noticing.
   */
  #compareSubscriptions(client: string): void {
    const counted = /\bssub=(\d+)/.exec(client)?.[1];
    if (counted === undefined || Number(counted) === this.#names.size) return;
    this.#reportGone();
    if (Number(counted) === this.#names.size) return;
    this.#lose(`it holds ${counted} subscriptions, not ${this.#names.size}`);
  }
}

/** Whether this is the refusal of our PING. It is nobody else's reply, so it also shows that replies are in step. */
function isRefusedPing(message: string): boolean {
  return /^NOPERM .*\bping\b/i.test(message);
}

function identityOf(info: ReadonlyMap<string, string>): ServerIdentity {
  return {
    role: info.get('role') ?? '',
    replicationId: info.get('master_replid') ?? '',
    evictionPolicy: info.get('maxmemory_policy') ?? SAFE_POLICY,
  };
}
