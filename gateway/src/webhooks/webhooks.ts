import type { ResetReason } from '@fanfare/protocol';
import { transcode } from '@fanfare/protocol/raw';
import type { LogPosition } from '../broker/record.js';
import type { PublishEvent } from '../channels/publishing.js';
import type { Clock } from '../clock.js';
import type { PresenceMember } from '../presence/presence-store.js';
import type { Endpoint } from './endpoint.js';
import type { EventQueue } from './event-queue.js';
import { type EventType, eventJson } from './events.js';
import { occupiedChannel } from './occupancy.js';

interface WebhooksOptions {
  readonly queue: EventQueue;
  readonly endpoint: Pick<Endpoint, 'isDown'>;
  readonly types: ReadonlySet<EventType>;
  /** Name of this gateway. */
  readonly node: string;
  readonly clock: Clock;
  /** To be called when somebody else added events to this shard of the queue. */
  readonly wake?: (shard: number) => void;
}

/** How long resets of one channel are gathered to be told as one event, ms. */
const RESET_WINDOW_MS = 1_000;

interface Resets {
  readonly reason: ResetReason;
  readonly at: LogPosition;
  clients: number;
}

/** Turns what happens in this gateway into events. Events of members and channels come from where those are stored. */
export class Webhooks {
  readonly #options: WebhooksOptions;
  /** Resets that are being gathered, by channel, reason and position. */
  readonly #resets = new Map<string, Resets>();

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  get queue(): EventQueue {
    return this.#options.queue;
  }

  /** Whether the application accepts events, as far as is known. */
  get isUp(): boolean {
    return !this.#options.endpoint.isDown;
  }

  /** Whether events are wanted that come from the stores of presence. */
  get wantsPresence(): boolean {
    return this.wantsChannels || this.#wants('member.joined') || this.#wants('member.left');
  }

  /** Whether events are wanted about which channels have subscribers. */
  get wantsChannels(): boolean {
    return this.#wants('channel.occupied') || this.#wants('channel.vacated');
  }

  readonly wake = (shard: number): void => this.#options.wake?.(shard);

  /**
   * To be called when a member joined or left, where one process holds all members. `count`: how many are there now.
   */
  readonly onPresence = (what: 'joined' | 'left', name: string, member: PresenceMember, count: number): void => {
    const { queue, clock } = this.#options;
    const channel = occupiedChannel(name);
    if (channel === undefined) {
      queue.add(name, eventJson(`member.${what}`, name, clock.wall(), { member }));
    } else if (count === (what === 'joined' ? 1 : 0)) {
      queue.add(
        channel,
        eventJson(what === 'joined' ? 'channel.occupied' : 'channel.vacated', channel, clock.wall(), {}),
      );
    }
  };

  /** To be called for each publish; publishes of clients become events, those of backends do not. */
  readonly onPublished = ({ caller, channel, message, outcome }: PublishEvent): void => {
    if (!this.#wants('message.published') || caller.entrance === 'http') return;
    if (outcome instanceof Error || outcome.duplicate) return;
    const { position } = outcome;
    const { user, key, tags, payload } = message;
    const rest = {
      ...(position && { epoch: String(position.epoch), offset: position.offset }),
      user,
      key,
      tags,
    };
    const head = eventJson('message.published', channel.name, this.#options.clock.wall(), rest);
    const data = Buffer.from(transcode(payload, 'json').bytes).toString();
    this.#options.queue.add(channel.name, `${head.slice(0, -1)},"data":${data}}`);
  };

  /** To be called when clients of this gateway were told a reset. */
  readonly onReset = (channel: string, reason: ResetReason, at: LogPosition, clients: number): void => {
    if (!this.#wants('channel.reset') || clients === 0) return;
    const name = `${reason} ${at.epoch}-${at.offset} ${channel}`;
    const known = this.#resets.get(name);
    if (known) {
      known.clients += clients;
      return;
    }
    const resets: Resets = { reason, at, clients };
    this.#resets.set(name, resets);
    const { clock, queue, node } = this.#options;
    clock.after(RESET_WINDOW_MS, () => {
      this.#resets.delete(name);
      const fields = { reason, epoch: String(at.epoch), offset: at.offset, clients: resets.clients, node };
      queue.add(channel, eventJson('channel.reset', channel, clock.wall(), fields));
    });
  };

  #wants(type: EventType): boolean {
    return this.#options.types.has(type);
  }
}
