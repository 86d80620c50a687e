import type { Redis, RedisOptions } from 'ioredis';
import type { Cancel, Clock } from '../clock.js';
import { Backoff, type BackoffTimings } from './backoff.js';
import { Deadline, within } from './deadline.js';
import { openLink, sendEncoded } from './link.js';
import { NotSentError } from './reply-errors.js';
import { type Command, command } from './resp.js';
import type { Script } from './script.js';
import { formatAddress, type RedisAddress } from './url.js';

interface CommandLinkOptions {
  readonly clock: Clock;
  readonly link: RedisOptions;
  readonly timings: CommandLinkTimings;
  /** Scripts that each new connection loads into the server, so that their first use is not refused by NOSCRIPT. */
  readonly scripts: readonly Script[];
  /**
   * Whether a majority of those who know says, asked from now on, that there is a master at this address. It is asked
   * before a reply that took longer than `suspectMs` is believed: this process and the master may have been frozen
   * together while another server was promoted.
   */
  readonly confirm: (address: RedisAddress) => Promise<boolean>;
  /** Called when the link can take commands, the first time or again. */
  readonly onUp: () => void;
}

export interface CommandLinkTimings {
  /** How long a new connection may take to show that it leads to a master, ms. */
  readonly handshakeMs: number;
  /** How long replies may be overdue before nothing more is sent until one comes, ms. */
  readonly suspectMs: number;
  /** How long replies may be overdue before the connection is given up, ms. */
  readonly replyMs: number;
  readonly backoff: BackoffTimings;
}

const MASTER = 'master';
/** How often a server is asked whether it still is a master, ms. It is asked only while something is sent to it. */
const VERIFY_MS = 1_000;
/**
 * How often an idle connection is used, ms. A firewall or proxy in between may have forgotten it, which only a packet
 * shows.
 */
const KEEP_ALIVE_MS = 15_000;

const ROLE = command('ROLE');
const PING = command('PING');

/**
 * A connection for commands to one master, opened anew for as long as it is not closed. What was sent
 * is never sent again by itself; what cannot be sent now fails at once.
 */
export class CommandLink {
  /** `host:port` of the master. */
  readonly name: string;
  readonly address: RedisAddress;
  readonly #options: CommandLinkOptions;
  readonly #backoff: Backoff;
  /** The connection, while it leads to a master. */
  #redis: Redis | undefined;
  /** Why nothing can be sent now; `undefined` if it can. */
  #problem: string | undefined = 'not connected yet';
  #inFlight = 0;
  /** When the server last said that it is a master, ms of the clock. */
  #verifiedAt = 0;
  #suspicion: Deadline | undefined;
  #patience: Deadline | undefined;
  /** No reply came for `suspectMs`. */
  #isOverdue = false;
  #cancelRetry: Cancel = () => {};
  /** How many late replies wait to be confirmed. */
  #doubts = 0;
  #isCondemned = false;
  #isClosed = false;

  constructor(address: RedisAddress, options: CommandLinkOptions) {
    this.name = formatAddress(address);
    this.address = address;
    this.#options = options;
    this.#backoff = new Backoff(options.timings.backoff, options.clock.random);
    void this.#connect();
  }

  /** Whether replies are awaited. */
  get isBusy(): boolean {
    return this.#inFlight > 0;
  }

  /** Whether replies are awaited and overdue. */
  get #isSilent(): boolean {
    return this.#inFlight > 0 && this.#isOverdue;
  }

  /**
   * Sends these commands in one write, and in this order. Each resolves with its reply or its error;
   * none rejects.
   */
  send(commands: readonly Command[]): Promise<unknown>[] {
    const redis = this.#redis;
    // `status` is checked too, because the connection may have ended in this very turn of the loop.
    if (!redis || this.#problem !== undefined || redis.status !== 'ready' || !redis.stream.writable) {
      const error = new NotSentError(`${this.name}: ${this.#problem ?? 'the connection ended'}`);
      return commands.map(() => Promise.resolve(error));
    }
    if (this.#doubts > 0) {
      const error = new NotSentError(`${this.name}: it answered late; whether it is still the master is being asked`);
      return commands.map(() => Promise.resolve(error));
    }
    redis.stream.cork();
    // This goes before the others, so that nothing is under way once the last of these is answered.
    this.#verify(redis);
    const replies = commands.map((one) => this.#sendOne(redis, one));
    redis.stream.uncork();
    return replies;
  }

  /** Sends nothing more on this connection. Once everything on it is answered, a new connection takes its place. */
  condemn(reason: string): void {
    this.#isCondemned = true;
    this.#problem = reason;
    if (this.#inFlight === 0) this.#lose(reason);
  }

  /** Sends nothing more. The connection is closed once everything is answered, or answers are overdue. */
  retire(): void {
    this.#isClosed = true;
    const reason = 'it is no longer the master';
    if (this.#isSilent) this.#lose(reason);
    else this.condemn(reason);
  }

  /** Closes the connection at once; what is not answered yet fails. */
  close(): void {
    this.#isClosed = true;
    this.#lose('closed');
  }

  #sendOne(redis: Redis, one: Command): Promise<unknown> {
    if (this.#inFlight++ === 0) this.#watch();
    const { clock, timings } = this.#options;
    const sentAt = clock.now();
    const answered = (reply: unknown) => {
      this.#inFlight--;
      if (redis === this.#redis) this.#progress();
      const isLate = clock.now() - sentAt > timings.suspectMs;
      return isLate && !(reply instanceof Error) ? this.#confirmed(redis, reply) : reply;
    };
    return sendEncoded(redis, one).then(answered, answered);
  }

  /** Returns a late reply once it is certain that it came from a master. Nothing is sent meanwhile. */
  async #confirmed(redis: Redis, reply: unknown): Promise<unknown> {
    this.#doubts++;
    const isMaster = await this.#options.confirm(this.address);
    this.#doubts--;
    if (!isMaster) {
      if (redis === this.#redis) this.condemn('it may have been deposed');
      return new Error(`${this.name}: it answered late, and may have been deposed meanwhile`);
    }
    if (this.#doubts === 0 && redis === this.#redis && this.#problem === undefined) this.#options.onUp();
    return reply;
  }

  /**
   * Asks the server now and then, along with a write, whether it is still a master: one that was demoted goes on
   * accepting live publishes.
   */
  #verify(redis: Redis): void {
    const now = this.#options.clock.now();
    if (now - this.#verifiedAt < VERIFY_MS) return;
    this.#verifiedAt = now;
    void this.#sendOne(redis, ROLE).then((reply) => {
      if (Array.isArray(reply) && String(reply[0]) !== MASTER && redis === this.#redis) this.condemn('it is a replica');
    });
  }

  async #connect(): Promise<void> {
    const { clock, link, timings, scripts } = this.#options;
    let redis: Redis | undefined;
    try {
      redis = await openLink(this.address, link, clock, timings.handshakeMs);
      await within(clock, timings.handshakeMs, 'handshake', prepare(redis, scripts));
      if (this.#isClosed || redis.status !== 'ready') throw new Error('the connection ended');
    } catch (error) {
      redis?.disconnect();
      this.#lose((error as Error).message);
      return;
    }
    this.#redis = redis;
    this.#verifiedAt = clock.now();
    this.#keepAlive(redis);
    this.#problem = undefined;
    this.#backoff.reset();
    redis.on('end', () => {
      if (redis === this.#redis) this.#lose('the connection ended');
    });
    this.#options.onUp();
  }

  #keepAlive(redis: Redis): void {
    this.#options.clock.after(KEEP_ALIVE_MS, () => {
      if (redis !== this.#redis) return;
      if (this.#inFlight === 0 && redis.status === 'ready') void this.#sendOne(redis, PING);
      this.#keepAlive(redis);
    });
  }

  /** Begins to wait for replies, or begins anew. */
  #watch(): void {
    const { clock, timings } = this.#options;
    this.#isOverdue = false;
    // The deadlines are kept from command to command: timers of their own would cost each command as much as its reply.
    this.#suspicion ??= new Deadline(clock, timings.suspectMs, () => {
      this.#isOverdue = true;
      this.#problem ??= 'replies are overdue';
      if (this.#isClosed) this.#lose(this.#problem);
    });
    this.#patience ??= new Deadline(clock, timings.replyMs, () => this.#lose(`no reply within ${timings.replyMs} ms`));
    this.#suspicion.restart();
    this.#patience.restart();
  }

  #unwatch(): void {
    this.#suspicion?.pause();
    this.#patience?.pause();
    this.#isOverdue = false;
  }

  /** Notes that a reply came. */
  #progress(): void {
    if (this.#inFlight > 0) this.#watch();
    else this.#unwatch();
    if (this.#isCondemned) {
      if (this.#inFlight === 0) this.#lose(this.#problem ?? 'condemned');
    } else if (this.#problem !== undefined) {
      this.#problem = undefined;
      this.#options.onUp();
    }
  }

  #lose(problem: string): void {
    const redis = this.#redis;
    this.#redis = undefined;
    this.#problem = problem;
    this.#isCondemned = false;
    this.#isOverdue = false;
    this.#suspicion?.cancel();
    this.#patience?.cancel();
    this.#suspicion = undefined;
    this.#patience = undefined;
    this.#cancelRetry();
    redis?.disconnect();
    if (this.#isClosed) return;
    this.#cancelRetry = this.#options.clock.after(this.#backoff.next(), () => void this.#connect());
  }
}

/** Makes sure that the connection leads to a master, and loads the scripts. Rejects if it is no master. */
async function prepare(redis: Redis, scripts: readonly Script[]): Promise<void> {
  const [role] = await redis.role();
  // A replica would accept live publishes, and they would reach nobody.
  if (role !== MASTER) throw new Error('it is a replica');
  // So no channel is refused by NOSCRIPT. Where SCRIPT LOAD is not allowed, a script comes with its first use.
  for (const { source } of scripts) await redis.script('LOAD', source).catch(() => {});
}
