import { AckLog } from '../audit/ack-log.js';
import { encodePayload } from '../audit/payload.js';
import { nowUs } from '../clock.js';
import type { Tally } from '../run/tally.js';
import type { Outgoing, PublishLink } from './publish-link.js';

interface PublisherPlan {
  readonly channels: readonly string[];
  /** How messages follow each other, one after another over all channels: so many a second, or so many in flight. */
  readonly model: { readonly rate: number } | { readonly inFlight: number };
  /** The number of the first connection. Each connection is a stream of its own. */
  readonly firstStream: number;
  readonly links: readonly PublishLink[];
  /** How many messages one link takes at once. */
  readonly batch: number;
  readonly drawSize: () => number;
  readonly tally: Tally;
}

/** A message that is due and has not left yet. */
interface Due {
  readonly dueUs: number;
  readonly channel: number;
}

/** How often the schedule is looked at, ms. */
const STROKE_MS = 1;
/** How many messages may wait to leave. A schedule that runs further ahead cannot be kept any more. */
const MAX_WAITING = 200_000;

/**
 * Publishes to the channels in turn, by a schedule or by what has arrived, and keeps the log of what was acknowledged.
 */
export class Publisher {
  /** The acknowledgements, by link and channel. */
  readonly logs = new Map<string, AckLog>();
  /** How many messages of the schedule could never be sent, because the generator was too slow. */
  skipped = 0;
  readonly #plan: PublisherPlan;
  /** The links that take turns for each channel, and the messages that wait for them. */
  readonly #lanes: readonly {
    readonly links: readonly number[];
    readonly waiting: Due[];
    head: number;
    turn: number;
  }[];
  #timer: NodeJS.Timeout | undefined;
  /** The load, 0-1: a share of the plan's rate, or of its messages in flight. */
  #load = 1;
  #turn = 0;
  #owed = 0;
  #lastUs = 0;
  /** In the closed model, how many messages were sent that the witness of their channel has not received. */
  #inFlight = 0;
  #open = 0;

  constructor(plan: PublisherPlan) {
    this.#plan = plan;
    // A channel keeps to one connection if there are enough channels, so that its order is that of the schedule.
    const { channels, links } = plan;
    const lanes = Math.min(channels.length, links.length);
    this.#lanes = Array.from({ length: Math.max(1, lanes) }, (_, lane) => ({
      links: links.map((_, index) => index).filter((index) => index % Math.max(1, lanes) === lane),
      waiting: [],
      head: 0,
      turn: 0,
    }));
    for (const [index, link] of links.entries()) link.onRoom = () => this.#fill(index % this.#lanes.length);
  }

  /** How many messages are without an answer, including those that wait to leave. */
  get open(): number {
    return this.#open + this.#lanes.reduce((sum, { waiting, head }) => sum + waiting.length - head, 0);
  }

  start(load: number): void {
    this.#load = load;
    this.#lastUs = nowUs();
    if ('rate' in this.#plan.model) this.#timer ??= setInterval(() => this.#stroke(), STROKE_MS);
    else this.#refill();
  }

  set load(load: number) {
    this.#catchUp();
    this.#load = load;
    if (this.#timer === undefined && 'inFlight' in this.#plan.model) this.#refill();
  }

  stop(): void {
    this.#catchUp();
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#load = 0;
  }

  /** Cuts a share of the connections that repeat what was not answered. */
  cut(share: number, random: () => number): void {
    const chosen = this.#plan.links.filter((link) => link.cut && random() < share);
    this.#plan.tally.cut += chosen.length;
    for (const link of chosen) link.cut?.();
  }

  close(): void {
    this.stop();
    for (const link of this.#plan.links) link.close();
  }

  /** Called when a witness received a message: the closed model may send the next one. */
  delivered(): void {
    this.#inFlight = Math.max(0, this.#inFlight - 1);
    this.#refill();
  }

  /** What was due up to now belongs to the schedule, though this process came late to its strokes. */
  #catchUp(): void {
    if (this.#timer !== undefined) this.#stroke();
  }

  #stroke(): void {
    const { model } = this.#plan;
    const now = nowUs();
    const rate = 'rate' in model ? model.rate * this.#load : 0;
    const spacingUs = 1e6 / Math.max(rate, 1e-9);
    this.#owed += ((now - this.#lastUs) * rate) / 1e6;
    this.#lastUs = now;
    const count = Math.floor(this.#owed);
    this.#owed -= count;
    // The messages were due at even distances up to now, even if this process comes late.
    for (let i = 0; i < count; i++) this.#enqueue(now - (count - 1 - i + this.#owed) * spacingUs);
    for (const lane of this.#lanes.keys()) this.#fill(lane);
  }

  #refill(): void {
    const { model } = this.#plan;
    if (!('inFlight' in model)) return;
    const wanted = Math.ceil(model.inFlight * this.#load);
    while (this.#inFlight < wanted) {
      this.#inFlight++;
      this.#enqueue(nowUs());
    }
    for (const lane of this.#lanes.keys()) this.#fill(lane);
  }

  #enqueue(dueUs: number): void {
    const channel = this.#turn;
    this.#turn = (this.#turn + 1) % this.#plan.channels.length;
    const lane = this.#lanes[channel % this.#lanes.length];
    if (!lane) return;
    if (lane.waiting.length - lane.head >= MAX_WAITING) this.skipped++;
    else lane.waiting.push({ dueUs, channel });
  }

  #fill(laneIndex: number): void {
    const lane = this.#lanes[laneIndex];
    if (!lane) return;
    const { links, batch } = this.#plan;
    for (let full = 0; lane.head < lane.waiting.length && full < lane.links.length; ) {
      const index = lane.links[lane.turn] as number;
      const { room } = links[index] as PublishLink;
      lane.turn = (lane.turn + 1) % lane.links.length;
      full = room > 0 ? 0 : full + 1;
      if (room <= 0) continue;
      const due = lane.waiting.slice(lane.head, lane.head + Math.min(batch, room));
      lane.head += due.length;
      links[index]?.send(due.map((one) => this.#message(index, one)));
    }
    if (lane.head === lane.waiting.length) {
      lane.waiting.length = 0;
      lane.head = 0;
    } else if (lane.head > 10_000) {
      lane.waiting.splice(0, lane.head);
      lane.head = 0;
    }
  }

  #message(link: number, { dueUs, channel: index }: Due): Outgoing {
    const { tally, channels, firstStream, drawSize } = this.#plan;
    const channel = channels[index] as string;
    const log = this.#log(channel, firstStream + link);
    const n = log.next();
    tally.published++;
    tally.lateness.record(nowUs() - dueUs);
    this.#open++;
    return {
      channel,
      payload: encodePayload(log.stream, n, dueUs, drawSize()),
      acknowledged: (position) => {
        this.#open--;
        log.acknowledge(n, position);
        tally.acknowledged++;
        tally.acknowledgement.record(nowUs() - dueUs);
      },
      refused: (why) => tally.error(`publish, tried again: ${why}`),
      failed: (why) => {
        this.#open--;
        log.fail(n);
        tally.error(`publish: ${why}`);
        // Nobody will receive the message, so the closed model goes on by itself.
        if ('inFlight' in this.#plan.model) setTimeout(() => this.delivered(), 50).unref();
      },
    };
  }

  #log(channel: string, stream: number): AckLog {
    const key = `${stream} ${channel}`;
    let log = this.logs.get(key);
    if (!log) {
      log = new AckLog(channel, stream);
      this.logs.set(key, log);
    }
    return log;
  }
}
