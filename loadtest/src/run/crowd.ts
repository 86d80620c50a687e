import type { AckSummary } from '../audit/ack-log.js';
import { Receipts } from '../audit/receipts.js';
import { DIALECTS, subprotocolsOf } from '../generators/dialects.js';
import { SdkSubscriber } from '../generators/sdk-subscriber.js';
import { Subscriber } from '../generators/subscriber.js';
import { tokenFor } from '../generators/tokens.js';
import { channelCount } from '../scenario/scenario.js';
import { channelName, type Loss, type Share, type WorkerPlan } from './plan.js';
import type { Tally } from './tally.js';

type AnySubscriber = Subscriber | SdkSubscriber;

/** How often connections are opened, closed and churned, ms. */
const STROKE_MS = 20;
/** How many losses are reported in full. More are only counted. */
const MAX_LOSSES = 2_000;

interface CrowdOptions {
  readonly share: Share;
  readonly plan: WorkerPlan;
  readonly tally: Tally;
  readonly random: () => number;
  hasBegun(): boolean;
}

/** The subscribers of one group in one worker. There are as many as the group's load asks for. */
export class Crowd {
  readonly name: string;
  readonly #options: CrowdOptions;
  readonly #open: AnySubscriber[] = [];
  /** Subscribers that left, and that had been passed over some messages. The audit still looks at them. */
  readonly #left: AnySubscriber[] = [];
  readonly #timer: NodeJS.Timeout;
  #slow: NodeJS.Timeout | undefined;
  #wanted = 0;
  #churned = 0;
  #generation = 0;
  #attempts = 0;

  constructor(options: CrowdOptions) {
    this.#options = options;
    const { group, name } = options.share;
    this.name = name;
    this.#timer = setInterval(() => this.#stroke(), STROKE_MS);
    const { slow } = group;
    if (slow) this.#slow = setInterval(() => this.#stallSlow(slow.share, slow.stall), slow.every);
  }

  /** The load: the share of the group's connections that is wanted, 0-1. */
  set load(load: number) {
    this.#wanted = Math.round(this.#options.share.count * load);
    this.#stroke();
  }

  /** Cuts a share of the subscribers that read, or all subscribers if the share is 1. */
  cut(share: number, random: () => number): void {
    const chosen = this.#some(share, random, share < 1);
    this.#options.tally.cut += chosen.length;
    for (const one of chosen) one.cut();
  }

  /** Makes a share of the subscribers that read stop reading for a time. */
  stall(share: number, ms: number, random: () => number): void {
    this.#stallAll(this.#some(share, random, true), ms);
  }

  /** Lets all subscribers read from now on, so that all can catch up. */
  release(): void {
    clearInterval(this.#slow);
    for (const one of this.#open) if (one.stall.isOn) one.stall.end();
  }

  #stallAll(chosen: readonly AnySubscriber[], ms: number): void {
    this.#options.tally.stalled += chosen.length;
    for (const one of chosen) one.stall.begin(ms);
  }

  #some(share: number, random: () => number, onlyReading: boolean): AnySubscriber[] {
    return this.#open.filter(
      ({ state, stall }) => state === 'ready' && !(onlyReading && stall.isOn) && random() < share,
    );
  }

  isSettled(acks: ReadonlyMap<string, readonly AckSummary[]>): boolean {
    return this.#open.every(
      (one) =>
        one.state === 'refused' ||
        one.receipts.every((receipts) => (acks.get(receipts.channel) ?? []).every((ack) => receipts.isUpTo(ack))),
    );
  }

  /** Compares everything that was received with what was acknowledged, counts it, and returns what was lost. */
  audit(acks: ReadonlyMap<string, readonly AckSummary[]>): Loss[] {
    const losses: Loss[] = [];
    for (const one of this.#open) this.#audit(one, acks, one.state !== 'refused', losses);
    for (const one of this.#left) this.#audit(one, acks, false, losses);
    return losses;
  }

  close(): void {
    clearInterval(this.#timer);
    clearInterval(this.#slow);
    for (const one of this.#open.splice(0)) one.close();
  }

  #stallSlow(share: number, ms: number): void {
    const slow = Math.ceil(this.#open.length * share);
    this.#stallAll(
      this.#open.slice(0, slow).filter(({ state }) => state === 'ready'),
      ms,
    );
  }

  #stroke(): void {
    const { share } = this.#options;
    while (this.#open.length > this.#wanted) this.#leave(this.#open.length - 1);
    this.#fill();
    const { churn } = share.group;
    if (!churn || !this.#options.hasBegun()) return;
    this.#churned += (churn.perSecond * share.count * STROKE_MS) / 1000;
    for (; this.#churned >= 1 && this.#open.length > 0; this.#churned--) {
      const index = Math.floor(this.#options.random() * this.#open.length);
      if (this.#open[index]?.state !== 'ready') continue;
      const number = this.#open[index].index;
      this.#leave(index);
      this.#generation++;
      this.#join(number);
    }
  }

  #fill(): void {
    const { share, plan, tally } = this.#options;
    while (this.#open.length < this.#wanted && tally.pending < plan.connecting) {
      this.#join(share.first + this.#open.length * share.stride);
    }
  }

  #leave(index: number): void {
    const [one] = this.#open.splice(index, 1);
    if (!one) return;
    one.close();
    if (one.receipts.some(({ hasHoles }) => hasHoles)) this.#left.push(one);
  }

  #join(index: number): void {
    const { share, plan, tally, hasBegun } = this.#options;
    const { group, name } = share;
    const channels = channelCount(group);
    const receipts = Array.from({ length: group.channelsPerConnection }, (_, k) => {
      const channel = (index * group.channelsPerConnection + k) % channels;
      return new Receipts(channelName(group, plan.runId, name, channel), group.durable);
    });
    const generation = this.#generation > 0 ? `.${this.#generation}` : '';
    const label = `${name}#${index}${generation}`;
    const subscriber = { label, index, receipts, presence: group.presence };
    const { urls, tokens } = plan.target;
    // The first attempt of each subscriber goes to its gateway, later ones to the next.
    let attempt = 0;
    const url = () => urls[(index + attempt++) % urls.length] as string;
    const namespace = group.namespace ?? (group.durable ? 'demo' : 'live');
    const token = () => tokenFor(tokens, `load-${name}-${index}`, [namespace]);
    const dialect = DIALECTS[group.dialect];
    const one: AnySubscriber =
      group.client === 'sdk'
        ? new SdkSubscriber(subscriber, { tally, dialect, verifyEvery: plan.verifyEvery, url, token, hasBegun })
        : new Subscriber(subscriber, {
            tally,
            dialect,
            verifyEvery: plan.verifyEvery,
            hasBegun,
            token,
            target: () => ({
              url: new URL(url()),
              subprotocol: subprotocolsOf(dialect),
              localAddress: plan.localAddresses[this.#attempts++ % plan.localAddresses.length],
            }),
          });
    this.#open.push(one);
    one.onReady = () => this.#fill();
    one.open();
  }

  #audit(
    one: AnySubscriber,
    acks: ReadonlyMap<string, readonly AckSummary[]>,
    isOwedTail: boolean,
    losses: Loss[],
  ): void {
    const { tally } = this.#options;
    one.settle();
    for (const receipts of one.receipts) {
      const { channel, isDurable, hasBegun } = receipts;
      if (!hasBegun) continue;
      for (const ack of acks.get(channel) ?? []) {
        const { lost, skipped, isMisplaced, excused } = receipts.close(ack, isOwedTail);
        tally.audit.reordered -= excused;
        tally.audit.skipped += skipped;
        if (isMisplaced) {
          const detail = `stream ${ack.stream}: acknowledged at other positions than it was received at`;
          tally.offend('misplaced', { channel, subscriber: one.label, stream: ack.stream, detail });
        }
        if (lost.size === 0) continue;
        if (!isDurable) {
          tally.audit.missed += lost.size;
          continue;
        }
        tally.audit.lost += lost.size;
        if (losses.length < MAX_LOSSES) {
          losses.push({
            ...{ channel, stream: ack.stream, subscriber: one.label },
            ...{ ranges: lost.list.slice(0, 100), epochs: receipts.epochs, entered: receipts.entered },
          });
        }
      }
    }
  }
}
