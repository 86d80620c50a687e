/**
 * A broker that fails on command: memory brokers over one shared log, for tests of what stands above.
 * The log forks and is trimmed as failover and retention do it to a real one; each broker is one
 * gateway's link to it, delayed, interrupted or deposed by the test.
 */
import type {
  Broker,
  ChannelListener,
  ChannelSpec,
  LogHead,
  LogPage,
  PublishOptions,
  PublishOutcome,
  ReadRange,
  ShardHealth,
  Subscription,
} from '../../src/broker/broker.js';
import { nextEpoch } from '../../src/broker/memory/epochs.js';
import { storedOnly } from '../../src/broker/memory/memory-broker.js';
import { MemoryLog } from '../../src/broker/memory/memory-log.js';
import type { LogRecord, NewMessage } from '../../src/broker/record.js';
import { FanfareError } from '../../src/errors.js';
import { selectPage } from './select-page.js';

export class FaultyLog extends MemoryLog {
  /** A promotion: a new epoch. Entries behind `keepOffset` are lost, their keys with them; default: none. */
  fork(channel: ChannelSpec, keepOffset = Number.POSITIVE_INFINITY): void {
    const log = this.logOf(channel);
    const baseOffset = Math.min(keepOffset, log.head.offset);
    log.beginEpoch(nextEpoch(this.clock.now()), baseOffset);
    this.#forgetKeys(channel.name, baseOffset);
  }

  /** A restart without data: log, lineage and keys are gone, the next use begins a new identity. */
  wipe(channel: ChannelSpec): void {
    const state = this.channels.get(channel.name);
    if (state) state.log = undefined;
    this.#forgetKeys(channel.name, 0);
  }

  /** Drops the entries up to this offset. */
  trim(channel: ChannelSpec, toOffset: number): void {
    this.logOf(channel).trim(toOffset);
  }

  /** Everything the log holds now. */
  view(channel: ChannelSpec): LogPage {
    return this.read(channel, { last: true, limit: Number.POSITIVE_INFINITY });
  }

  #forgetKeys(channel: string, afterOffset: number): void {
    for (const [name, entry] of this.keys.entries) {
      if (entry.channel === channel && entry.position.offset > afterOffset) this.keys.entries.delete(name);
    }
  }
}

/** Runs the task now or at any later time; `what` names it in traces. */
export type Schedule = (task: () => void, what: string) => void;

/** Runs what it is given in that order, whatever order the scheduled tasks run in: one direction of a connection. */
class Lane {
  readonly #waiting: (() => void)[] = [];
  readonly #schedule: Schedule;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  add(task: () => void, what: string): void {
    this.#waiting.push(task);
    this.#schedule(() => this.#waiting.shift()?.(), what);
  }
}

/** One gateway's view of one channel. */
interface Line {
  /** Grows when the line is cut: what was on its way is gone. */
  cuts: number;
  up: boolean;
  /** Grows when the subscription is lost, with its line or alone: the pushes that were on their way are gone. */
  losses: number;
  subscribed: boolean;
  /** Pushes to lose without a word. */
  losing: number;
  /** Reads to refuse. */
  refusing: number;
  /** No majority says whose log this is: what a confirmed read would tell cannot be had. */
  vetoed: boolean;
  /** What a deposed master still holds. */
  frozen: (LogHead & { readonly entries: readonly LogRecord[] }) | undefined;
  listener: ChannelListener | undefined;
  /** Its `subscribe` has been answered: only then is it told of interruptions. */
  isAcknowledged: boolean;
}

/**
 * Every request and everything that comes back is a task of `schedule`. Whatever order the tasks run
 * in, pushes and the answers of `read` and `subscribe` arrive in the order the engine made them, as on
 * one connection; publishes travel on another, so their outcomes come before or after the push.
 */
export class FaultyBroker implements Broker {
  readonly name = 'memory';
  readonly idempotencyMs: number;
  readonly #log: FaultyLog;
  readonly #lines = new Map<string, Line>();
  readonly #requests: Lane;
  readonly #schedule: Schedule;
  readonly #readsApart: boolean;
  readonly #arrivals: Lane;
  readonly #publishes: Lane;
  readonly #outcomes: Lane;
  /** Calls of `read` that reached the engine, per channel. */
  readonly reads = new Map<string, number>();
  /** Told of pushes that a listener does not get. */
  onPushLost: (record: LogRecord) => void = () => {};
  #closed = false;

  /**
   * @param readsApart the answers of `read` travel apart from the pushes, as over a connection of their
   * own: less than the port promises, and still nothing may be lost.
   */
  constructor(log: FaultyLog, schedule: Schedule = (task) => task(), readsApart = false) {
    this.#readsApart = readsApart;
    this.#log = log;
    this.idempotencyMs = log.idempotencyMs;
    this.#schedule = schedule;
    this.#requests = new Lane(schedule);
    this.#arrivals = new Lane(schedule);
    this.#publishes = new Lane(schedule);
    this.#outcomes = new Lane(schedule);
  }

  async start(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
    for (const name of this.#lines.keys()) this.#cut(name);
  }

  publish(channel: ChannelSpec, messages: readonly NewMessage[], options?: PublishOptions): Promise<PublishOutcome[]> {
    const stored = channel.durable && options?.replicas !== undefined;
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(unavailable());
      this.#publishes.add(() => {
        const outcomes = this.#log.publish(channel, messages);
        this.#outcomes.add(() => resolve(stored ? outcomes.map(storedOnly) : outcomes), `outcome ${channel.name}`);
      }, `publish ${channel.name}`);
    });
  }

  subscribe(channel: ChannelSpec, listener: ChannelListener): Promise<Subscription> {
    const line = this.#line(channel.name);
    let stop = () => {};
    const leave = () => {
      if (line.listener === listener) line.listener = undefined;
    };
    return new Promise((resolve, reject) => {
      const refuse = (error: Error) => {
        leave();
        stop();
        reject(error);
      };
      this.#request(channel.name, refuse, () => {
        line.listener = listener;
        line.isAcknowledged = false;
        line.subscribed = true;
        stop = this.#log.subscribe(channel.name, (record) => this.#push(channel.name, listener, record));
        const subscription: Subscription = {
          shard: 'memory',
          unsubscribe: () => {
            leave();
            return new Promise((ended) => {
              this.#requests.add(() => {
                stop();
                this.#arrivals.add(ended, `unsubscribed ${channel.name}`);
              }, `unsubscribe ${channel.name}`);
            });
          },
          distrust: () => {
            this.#schedule(() => {
              if (line.listener !== listener) return;
              this.interrupt(channel.name);
              this.#schedule(() => this.resume(channel.name), `reconnect ${channel.name}`);
            }, `distrust ${channel.name}`);
          },
        };
        return () => {
          line.isAcknowledged = line.listener === listener;
          resolve(subscription);
        };
      });
    });
  }

  read(channel: ChannelSpec, range: ReadRange): Promise<LogPage> {
    const line = this.#line(channel.name);
    return new Promise((resolve, reject) => {
      this.#request(
        channel.name,
        reject,
        () => {
          this.reads.set(channel.name, (this.reads.get(channel.name) ?? 0) + 1);
          if (line.refusing > 0) {
            line.refusing--;
            return () => reject(unavailable());
          }
          if ((line.frozen || line.vetoed) && range.confirmed) return () => reject(unavailable());
          const page = line.frozen ? selectPage(line.frozen, range) : this.#log.read(channel, range);
          return () => resolve(page);
        },
        this.#readsApart,
      );
    });
  }

  health(): ShardHealth[] {
    const down = [...this.#lines].filter(([, line]) => !line.up).map(([name]) => name);
    if (!this.#closed && down.length === 0) return [{ shard: 'memory', state: 'ok' }];
    return [{ shard: 'memory', state: 'lost', detail: down.join(' ') }];
  }

  /** The link is lost: what is on its way is gone, reads and subscribes are `unavailable`. Publishes are not. */
  interrupt(name: string): void {
    const line = this.#cut(name);
    if (line.isAcknowledged) line.listener?.onInterrupted();
  }

  /** The link is back and acknowledged, which the listener hears unless it is lost again before. */
  resume(name: string): void {
    const line = this.#line(name);
    if (this.#closed || (line.up && line.subscribed && !line.frozen)) return;
    line.up = true;
    line.subscribed = true;
    line.frozen = undefined;
    const { losses } = line;
    this.#arrivals.add(() => line.losses === losses && line.listener?.onResumed(), `resumed ${name}`);
  }

  /** The subscription is lost alone, which the listener is told; reads are answered all along. Ends with `resume`. */
  unsubscribed(name: string): void {
    const line = this.#line(name);
    if (!line.up || !line.subscribed || !line.isAcknowledged) return;
    line.losses++;
    line.subscribed = false;
    line.listener?.onInterrupted();
  }

  /** Makes good what is broken, and leaves alone what is whole. */
  heal(name: string): void {
    const line = this.#line(name);
    line.vetoed = false;
    line.refusing = 0;
    line.losing = 0;
    if (line.frozen) this.interrupt(name);
    this.resume(name);
  }

  /** The next reads are `unavailable`, on a line that lives. */
  refuseNext(name: string, count = 1): void {
    this.#line(name).refusing += count;
  }

  /** Confirmed reads are `unavailable` until this is called again, or `heal`. */
  veto(name: string): void {
    const line = this.#line(name);
    line.vetoed = !line.vetoed;
  }

  /** The next pushes vanish, and nothing tells. */
  loseNext(name: string, count = 1): void {
    this.#line(name).losing += count;
  }

  /** Something moved: the listener is asked to compare with the log. */
  doubt(name: string): void {
    const line = this.#line(name);
    this.#arrivals.add(() => line.listener?.onDoubt(), `doubt ${name}`);
  }

  /**
   * The link leads to a deposed master from now on: it answers from what it holds and pushes nothing
   * more; confirmed reads are `unavailable`. Ends with `interrupt` and `resume`.
   */
  depose(channel: ChannelSpec): void {
    this.#line(channel.name).frozen = this.#log.view(channel);
  }

  #line(name: string): Line {
    let line = this.#lines.get(name);
    if (!line) {
      line = {
        cuts: 0,
        up: !this.#closed,
        losses: 0,
        subscribed: true,
        losing: 0,
        refusing: 0,
        vetoed: false,
        frozen: undefined,
        listener: undefined,
        isAcknowledged: false,
      };
      this.#lines.set(name, line);
    }
    return line;
  }

  #cut(name: string): Line {
    const line = this.#line(name);
    line.cuts++;
    line.up = false;
    line.losses++;
    line.subscribed = false;
    line.frozen = undefined;
    return line;
  }

  #push(name: string, listener: ChannelListener, record: LogRecord): void {
    const line = this.#line(name);
    const isOn = line.up && line.subscribed && !line.frozen;
    if (!isOn || line.losing > 0) {
      if (isOn) line.losing--;
      this.onPushLost(record);
      return;
    }
    const { losses } = line;
    this.#arrivals.add(() => {
      if (line.losses === losses && line.listener === listener) listener.onRecord(record);
      else this.onPushLost(record);
    }, `push ${name} ${record.epoch}-${record.offset}`);
  }

  /** A request on the line; `execute` runs at the engine and returns what the answer does here. */
  #request(name: string, reject: (error: Error) => void, execute: () => () => void, apart = false): void {
    const line = this.#line(name);
    const { cuts } = line;
    const refuse = () => reject(unavailable());
    this.#requests.add(() => {
      const answer = line.up && line.cuts === cuts ? execute() : refuse;
      const arrive = () => (line.cuts === cuts ? answer() : refuse());
      if (apart) this.#schedule(arrive, `answer ${name} apart`);
      else this.#arrivals.add(arrive, `answer ${name}`);
    }, `request ${name}`);
  }
}

function unavailable(): FanfareError {
  return new FanfareError('unavailable', 'the link to the log is lost');
}
