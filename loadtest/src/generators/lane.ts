import type { BenchChannel, IntakeKind, Subject } from '../servers/contender.js';
import { BulkReaders } from './bulk-readers.js';
import type { Intake } from './intake.js';
import { ReaderPool } from './reader-pool.js';

/** How many groups of prompt and of bulk subscribers connect in turn. */
const INTERLEAVED = 10;

export interface LaneOptions {
  readonly contender: Subject;
  readonly channels: readonly BenchChannel[];
  /** How many subscribers there are on all channels together. Each channel gets as many as the others. */
  readonly subscribers: number;
  /** Share of the subscribers that is read at once, 0-1, at least one of each tenth. The others are read in bulk. */
  readonly promptShare: number;
  readonly intake: IntakeKind;
  /**
   * How many publishers there are, each with a connection. Default 1, which writes at once what is published at once.
   * Several take turns, each with one message a write; over HTTP each has one request in flight at a time. The lane must
   * have one channel then.
   */
  readonly publishers?: number | undefined;
  /** The server that takes the publishes, if it is not `contender`. */
  readonly publishTo?: Subject | undefined;
}

/** Returns how many of the subscribers connect in this turn. */
function partOf(subscribers: number, part: number): number {
  const before = (parts: number) => Math.floor((subscribers * parts) / INTERLEAVED);
  return before(part + 1) - before(part);
}

/** Subscribers and a publisher of some channels on one server. */
export class Lane {
  /** Subscribers spread evenly over all, whose messages are read as they arrive. */
  readonly prompt = new ReaderPool();
  /** All other subscribers, which are read in bulk. */
  readonly bulk = new BulkReaders();
  readonly contender: Subject;
  readonly channels: readonly BenchChannel[];
  readonly subscribers: number;
  readonly #kind: IntakeKind;
  readonly #publishTo: Subject;
  readonly #publishers: number;
  #intakes: Writer[] = [];
  #turn = 0;
  #sequence = 1;
  /** How many messages were published since {@link reset}. */
  #published = 0;

  private constructor({ contender, channels, subscribers, intake, publishers = 1, publishTo }: LaneOptions) {
    this.#publishTo = publishTo ?? contender;
    this.#publishers = publishers;
    this.contender = contender;
    this.channels = channels;
    this.subscribers = subscribers;
    this.#kind = intake;
  }

  static async open(options: LaneOptions): Promise<Lane> {
    const lane = new Lane(options);
    try {
      await lane.#connect(options);
    } catch (error) {
      await lane.close();
      throw error;
    }
    return lane;
  }

  async #connect({ contender, channels, subscribers, promptShare, intake }: LaneOptions): Promise<void> {
    const subscribe = (count: number, part: number) =>
      Array.from({ length: count }, (_, i) => ({
        ...contender.subscribe(channels[(part * count + i) % channels.length] as BenchChannel),
        publishers: this.#publishers,
      }));
    for (let part = 0; part < INTERLEAVED; part++) {
      const count = partOf(subscribers, part);
      const prompt = Math.min(count, Math.max(1, Math.round(count * promptShare)));
      await this.bulk.open(subscribe(count - prompt, part));
      await this.prompt.open(subscribe(prompt, part));
    }
    const open = () => this.#publishTo.openIntake(intake);
    const isByTurns = intake === 'http' && this.#publishers > 1;
    for (let i = 0; i < this.#publishers; i++)
      this.#intakes.push(isByTurns ? await OneAtATime.open(open) : await open());
  }

  /** Starts to count from 0 again. */
  async reset(): Promise<void> {
    this.#published = 0;
    this.prompt.reset();
    await this.bulk.reset();
    for (const intake of this.#intakes) if (intake instanceof OneAtATime) await intake.refresh();
  }

  /**
   * Publishes `count` messages with payloads of `size` bytes to the channel whose turn it is: in one write, or one a write
   * by several publishers in turn.
   */
  publish(count: number, size: number): void {
    const channel = this.channels[this.#turn] as BenchChannel;
    const each = this.#publishers === 1 ? count : 1;
    for (let done = 0; done < count; done += each) {
      const sequence = this.#sequence + done;
      const bytes = this.#publishTo.encode(this.#kind, channel, sequence, each, size);
      this.#intakes[sequence % this.#publishers]?.write(bytes);
    }
    this.#turn = (this.#turn + 1) % this.channels.length;
    if (this.#turn === 0) this.#sequence += count;
    this.#published += count;
  }

  /**
   * Lets `proceed` publish, first at once and then whenever a prompt subscriber has received something, until it returns
   * true. Rejects if that takes longer than `deadlineMs`.
   */
  async run(proceed: () => boolean, deadlineMs: number): Promise<void> {
    const { prompt, channels, contender } = this;
    let stall: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      const onStall = () => {
        const expected = (this.#published * prompt.readers.length) / channels.length;
        const arrived = `${prompt.received} of ${expected} messages arrived`;
        reject(new Error(`${contender.name}: ${arrived}; ${this.fault ?? ''}`));
      };
      stall = setTimeout(onStall, deadlineMs);
      prompt.onProgress = () => {
        if (proceed()) resolve();
      };
      proceed();
    }).finally(() => {
      clearTimeout(stall);
      prompt.onProgress = () => {};
    });
  }

  /** How many messages a prompt subscriber found in one read since {@link reset}, on average. */
  get messagesPerRead(): number {
    return this.prompt.received / this.prompt.reads;
  }

  /** What went wrong so far, if anything did. */
  get fault(): string | undefined {
    return this.#refusal ?? this.prompt.fault;
  }

  /** Rejects if a publish was refused, or if not every subscriber receives exactly `messages` of them. */
  async check(messages: number, deadlineMs: number): Promise<void> {
    if (this.#refusal) throw new Error(`${this.contender.name} refused a publish: ${this.#refusal}`);
    await this.bulk.waitFor(messages * (this.subscribers - this.prompt.readers.length), deadlineMs);
    try {
      this.prompt.check(messages);
      await this.bulk.check(messages);
    } catch (error) {
      throw new Error(`${this.contender.name}: ${(error as Error).message}`);
    }
  }

  async close(): Promise<void> {
    this.prompt.close();
    for (const intake of this.#intakes) intake.close();
    await this.bulk.close();
  }

  get #refusal(): string | undefined {
    return this.#intakes.find(({ fault }) => fault)?.fault;
  }
}

type Writer = Pick<Intake, 'write' | 'close' | 'fault'>;

/** A server closes an HTTP connection on which nothing happens for some ten seconds. It is replaced before that, ms. */
const IDLE_MS = 5_000;

/** Requests over one connection: each leaves when the one before was answered, as HTTP clients do it. */
class OneAtATime implements Writer {
  readonly #open: () => Promise<Intake>;
  readonly #waiting: (Buffer | string)[] = [];
  #intake: Intake;
  #isBusy = false;
  #usedAt = performance.now();

  private constructor(open: () => Promise<Intake>, intake: Intake) {
    this.#open = open;
    this.#intake = intake;
    this.#listen();
  }

  static async open(open: () => Promise<Intake>): Promise<OneAtATime> {
    return new OneAtATime(open, await open());
  }

  /** Takes a new connection if the old one was idle for long. Nothing may be under way. */
  async refresh(): Promise<void> {
    if (performance.now() - this.#usedAt < IDLE_MS) return;
    this.#intake.close();
    this.#intake = await this.#open();
    this.#usedAt = performance.now();
    this.#listen();
  }

  #listen(): void {
    this.#intake.onReply = () => {
      this.#usedAt = performance.now();
      const next = this.#waiting.shift();
      this.#isBusy = next !== undefined;
      if (next !== undefined) this.#intake.write(next);
    };
  }

  get fault(): string | undefined {
    return this.#intake.fault;
  }

  write(request: Buffer | string): void {
    if (this.#isBusy) this.#waiting.push(request);
    else this.#intake.write(request);
    this.#isBusy = true;
  }

  close(): void {
    this.#intake.close();
  }
}
