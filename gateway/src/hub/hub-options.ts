import type { ResetReason } from '@fanfare/protocol';
import type { Broker } from '../broker/broker.js';
import type { LogPosition } from '../broker/record.js';
import type { Clock } from '../clock.js';
import type { FlightRecorder } from '../flight-recorder.js';
import type { Semaphore } from '../semaphore.js';
import type { Stats } from '../stats.js';
import type { SendScheduler, SendSchedulerOptions } from './send-scheduler.js';
import type { Standstill } from './stalls.js';

/** Limits and timings of the hub; times are in ms. */
export interface HubOptions extends SendSchedulerOptions {
  /**
   * How long a channel without subscribers stays alive, so that clients that come and go do not make it subscribe again
   * and again.
   */
  readonly lingerMs: number;
  /** Most entries that a channel keeps at hand. */
  readonly tailEntries: number;
  /** Most bytes of the entries that a channel keeps at hand. */
  readonly tailBytes: number;
  /** Most entries of a page of the log in replays. */
  readonly pageEntries: number;
  /** Most bytes of the entries of a page of the log in replays. */
  readonly pageBytes: number;
  /** Most records that are held back while a channel repairs itself. Beyond that they are read from the log again. */
  readonly bufferRecords: number;
  /** Most bytes of the records that are held back while a channel repairs itself. */
  readonly bufferBytes: number;
  /** How long a join waits for its channel before it fails as `unavailable`. */
  readonly joinTimeoutMs: number;
  /** How long pushed records may stay unexplained by the log before the subscription is distrusted. */
  readonly distrustMs: number;
  /** How often a channel is compared with its log. */
  readonly auditMs: number;
  /** Most reads for repairs and audits at a time. */
  readonly repairConcurrency: number;
}

export const HUB_DEFAULTS: HubOptions = {
  allQueuesBytes: 8 * 1024 * 1024,
  queueBytes: 1024 * 1024,
  lingerMs: 5_000,
  tailEntries: 512,
  tailBytes: 256 * 1024,
  pageEntries: 512,
  pageBytes: 256 * 1024,
  bufferRecords: 4_096,
  bufferBytes: 1024 * 1024,
  joinTimeoutMs: 5_000,
  distrustMs: 2_000,
  auditMs: 30_000,
  repairConcurrency: 256,
};

export type ResetListener = (channel: string, reason: ResetReason, at: LogPosition, clients: number) => void;

/** What every channel of a hub works with. */
export interface HubContext {
  readonly broker: Broker;
  readonly scheduler: SendScheduler;
  readonly clock: Clock;
  readonly stats: Stats;
  readonly recorder: FlightRecorder;
  readonly options: HubOptions;
  readonly repairs: Semaphore;
  /** Channels that do not follow their pushes now. */
  readonly standing: Set<Standstill>;
  /** Called when clients are told a reset, with how many they are. */
  readonly onReset: ResetListener;
  /** Called with faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}
