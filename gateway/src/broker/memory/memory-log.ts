import type { Clock } from '../../clock.js';
import { FanfareError } from '../../errors.js';
import {
  type ChannelListener,
  type ChannelSpec,
  type LogPage,
  NEW_IDENTITY_MS,
  type Published,
  type PublishOutcome,
  type ReadRange,
} from '../broker.js';
import type { LogPosition, LogRecord, NewMessage } from '../record.js';
import { recordSize } from '../record-codec.js';
import { ChannelLog } from './channel-log.js';
import { nextEpoch } from './epochs.js';
import { KeyWindow } from './key-window.js';

export interface MemoryLogOptions {
  readonly clock: Clock;
  /** How long an idempotency key holds, ms. Default 5 min. */
  readonly idempotencyMs?: number;
  /**
   * Most idempotency keys that are held. Beyond that, publishes with a new key are `unavailable`. Default 1,000,000.
   */
  readonly maxKeys?: number;
}

/** Is called with each record that is pushed to one channel. */
export type RecordListener = Pick<ChannelListener, 'onRecord'>;

/** How long after the last publish a channel keeps its positions, even if its entries are gone, ms. */
const IDENTITY_TTL_MS = 30 * 24 * 3600 * 1000;

/**
 * All logs of one process, and the pushes from them. Several brokers may share it. Everything is synchronous: records
 * are pushed inside `publish`. A publish that a listener makes is pushed once the push before it is done, so that every
 * listener sees a channel in log order.
 */
export class MemoryLog {
  readonly clock: Clock;
  readonly idempotencyMs: number;
  protected readonly keys: KeyWindow;
  protected readonly channels = new Map<string, ChannelState>();
  readonly #pushes: [state: ChannelState, record: LogRecord][] = [];
  #pushing = false;

  constructor({ clock, idempotencyMs = 300_000, maxKeys = 1_000_000 }: MemoryLogOptions) {
    this.clock = clock;
    this.idempotencyMs = idempotencyMs;
    this.keys = new KeyWindow(idempotencyMs, maxKeys);
  }

  /**
   * Stores and pushes messages. The bytes of the payloads are kept and not copied, so nobody may change them
   * afterwards.
   */
  publish(channel: ChannelSpec, messages: readonly NewMessage[]): PublishOutcome[] {
    const nowMs = this.clock.wall();
    const publishOne = channel.durable ? this.#store : this.#pushLive;
    return messages.map((message) => {
      try {
        return publishOne.call(this, channel, message, nowMs);
      } catch (error) {
        if (error instanceof FanfareError) return error;
        throw error;
      }
    });
  }

  read(channel: ChannelSpec, range: ReadRange): LogPage {
    const isUnknown = !this.channels.get(channel.name)?.log;
    const log = range.isPeek && isUnknown ? new ChannelLog(nextEpoch(this.clock.wall())) : this.logOf(channel);
    return log.read(range);
  }

  /**
   * Calls back with each record of a channel. Returns a function that ends this; the callback is not called after that.
   */
  subscribe(name: string, onRecord: RecordListener['onRecord']): () => void {
    const listener = { onRecord };
    this.addListener(name, listener);
    return () => this.removeListener(name, listener);
  }

  addListener(name: string, listener: RecordListener): void {
    const state = this.#stateOf(name);
    // `concat` instead of spreading, after which V8 would leave room for 16 more.
    state.listeners = state.listeners.concat(listener);
  }

  /** Removes a listener, which is not called after that. */
  removeListener(name: string, listener: RecordListener): void {
    const state = this.channels.get(name);
    if (!state) return;
    state.listeners = state.listeners.filter((one) => one !== listener);
    if (state.isForgotten(this.clock.wall())) this.channels.delete(name);
  }

  /**
   * Frees what has expired on channels that nobody uses. Channels that are read or published to free theirs by
   * themselves.
   */
  sweep(): void {
    const nowMs = this.clock.wall();
    this.keys.evict(nowMs);
    for (const [name, state] of this.channels) {
      state.expireEntries(nowMs);
      if (state.isForgotten(nowMs)) this.channels.delete(name);
    }
  }

  /**
   * The log of a channel as it is now. It is created where the channel has none, and begun anew where its identity has
   * expired.
   */
  protected logOf(channel: ChannelSpec): ChannelLog {
    return this.#durableState(channel, this.clock.wall()).log as ChannelLog;
  }

  #store(channel: ChannelSpec, message: NewMessage, nowMs: number): Published {
    const size = recordSize(message);
    const state = this.#durableState(channel, nowMs);
    const { key } = message;
    const first = key === undefined ? undefined : this.#firstWith(channel.name, key, nowMs);
    if (first) return { position: first, duplicate: true };
    const record = (state.log as ChannelLog).append(message, nowMs, size, channel.historySize);
    state.entriesExpireAt = nowMs + channel.historyTtlMs;
    state.identityExpiresAt = Math.max(state.entriesExpireAt, nowMs + IDENTITY_TTL_MS);
    const position: LogPosition = { epoch: record.epoch, offset: record.offset };
    if (key !== undefined) this.keys.remember(channel.name, key, position, nowMs);
    this.#push(state, record);
    return { position };
  }

  #pushLive(channel: ChannelSpec, message: NewMessage, nowMs: number): Published {
    const size = recordSize(message);
    const { user, key, tags, extensions, payload } = message;
    if (key !== undefined) {
      if (this.#firstWith(channel.name, key, nowMs)) return { duplicate: true };
      this.keys.remember(channel.name, key, { epoch: 0, offset: 0 }, nowMs);
    }
    const state = this.channels.get(channel.name);
    if (state) {
      this.#push(state, { epoch: 0, offset: 0, time: nowMs, user, key, tags, extensions, payload, size });
    }
    return {};
  }

  /**
   * The position of the first message with this key; `undefined` if there was none. @throws {FanfareError} if there are
   * too many keys for another
   */
  #firstWith(channel: string, key: string, nowMs: number): LogPosition | undefined {
    const position = this.keys.find(channel, key, nowMs);
    if (position) return position;
    const retryAfterMs = this.keys.fullForMs(nowMs);
    if (retryAfterMs > 0) throw new FanfareError('unavailable', 'too many idempotency keys', { retryAfterMs });
    return undefined;
  }

  #push(state: ChannelState, record: LogRecord): void {
    this.#pushes.push([state, record]);
    if (this.#pushing) return;
    this.#pushing = true;
    try {
      for (const [to, next] of this.#pushes) {
        for (const listener of to.listeners) {
          // A listener that was called before may have ended this one.
          if (to.listeners.includes(listener)) listener.onRecord(next);
        }
      }
    } finally {
      this.#pushes.length = 0;
      this.#pushing = false;
    }
  }

  #durableState(channel: ChannelSpec, nowMs: number): ChannelState {
    const state = this.#stateOf(channel.name);
    if (!state.log || state.isForgotten(nowMs)) {
      state.log = new ChannelLog(nextEpoch(nowMs));
      state.entriesExpireAt = Number.POSITIVE_INFINITY;
      state.identityExpiresAt = 0;
    }
    state.expireEntries(nowMs);
    const keepMs = state.log.head.offset > 0 ? IDENTITY_TTL_MS : NEW_IDENTITY_MS;
    state.identityExpiresAt = Math.max(state.identityExpiresAt, nowMs + keepMs);
    return state;
  }

  #stateOf(name: string): ChannelState {
    let state = this.channels.get(name);
    if (!state) {
      state = new ChannelState();
      this.channels.set(name, state);
    }
    return state;
  }
}

class ChannelState {
  /**
   * The listeners of the channel. The array is replaced and never changed; most channels have one listener, and a set
   * would take three times the memory.
   */
  listeners: readonly RecordListener[] = [];
  /** Absent on live channels. */
  log: ChannelLog | undefined;
  entriesExpireAt = Number.POSITIVE_INFINITY;
  identityExpiresAt = 0;

  expireEntries(nowMs: number): void {
    if (nowMs < this.entriesExpireAt) return;
    this.log?.trim(Number.POSITIVE_INFINITY);
    this.entriesExpireAt = Number.POSITIVE_INFINITY;
  }

  isForgotten(nowMs: number): boolean {
    return this.listeners.length === 0 && nowMs >= this.identityExpiresAt;
  }
}
