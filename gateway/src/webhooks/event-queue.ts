/**
 * The queue of webhooks: a port with the engines `memory/` (of a single process, gone with it) and `redis/`
 * (durable, shared by all gateways).
 *
 * Events of one channel are sent in the order in which they were added, at least once, by one gateway at a
 * time. A batch that the application refuses for long is put aside as a dead letter.
 */
import type { EventJson } from './events.js';

export interface EventQueue {
  /** Begins to send. */
  start(): void;
  close(): Promise<void>;
  /** Adds an event, in the background. An event that cannot be added is counted as dropped. */
  add(channel: string, event: EventJson): void;
  readonly stats: QueueStats;
}

/** What became of events, counted since the start. */
export interface QueueStats {
  added: number;
  delivered: number;
  /** Events that were not added: the queue could not be reached for long, or too many waited. */
  dropped: number;
  /** Events that were put aside as dead letters. */
  dead: number;
}

/** When a batch is given up. */
export interface GiveUpRule {
  /** How often a batch is tried if the application refuses it each time. Default 8. */
  readonly refusals: number;
  /** How old the oldest event of a batch may become while the application is down, ms. Default 24 h. */
  readonly downMs: number;
}

export const GIVE_UP: GiveUpRule = { refusals: 8, downMs: 24 * 3600_000 };

/** Most events of one request. */
export const BATCH_EVENTS = 100;
