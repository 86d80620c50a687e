import type { RawDialect, ResetReason, Wire } from '@fanfare/protocol';
import { RAW_DIALECTS } from '@fanfare/protocol/raw';
import type { LogPosition } from '../broker/record.js';
import type { TopicSubscriber } from './topic.js';

/** One client as a channel sees it. */
export interface Subscriber extends TopicSubscriber {
  /** Id of its session, unique among all gateways. */
  readonly session: string;
  readonly dialect: RawDialect;
  /**
   * Sends a replayed frame, in order with everything else on the socket. `false`: it was not accepted, because the
   * client reads too slowly or is gone. Then wait for `drained` and send it again.
   */
  sendReplayed(frame: Wire): boolean;
  /** Runs `callback` at once; what it sends leaves in as few writes as possible. */
  cork(callback: () => void): void;
  /** Whether frames were dropped, and nothing may be sent before the client has read what was accepted. */
  readonly isLagging: boolean;
  /** Whether nothing waits in this process for the client to read it. */
  readonly isDrained: boolean;
  /**
   * Resolves once nothing waits for the client to read it, or the client is gone. Callers go on one after another, so
   * each has to look again.
   */
  drained(): Promise<void>;
  /**
   * Runs a task that sends a page of the log. Only a few run at a time, so that few pages for one client wait in
   * memory.
   */
  oneOfFew(task: () => Promise<void>): Promise<void>;
}

/**
 * A subscriber without a socket, for uses inside the gateway: what the hub publishes is read where it is handed to the
 * transport.
 */
export const localSubscriber: Subscriber = {
  session: '',
  dialect: RAW_DIALECTS.json,
  subscribe() {},
  unsubscribe() {},
  sendReplayed: () => true,
  cork: (callback) => callback(),
  isLagging: false,
  isDrained: true,
  drained: async () => {},
  oneOfFew: (task) => task(),
};

/** Why a client is off a channel: it left, it reads too slowly, it could not be served, its connection ended. */
export type LeaveCause = 'left' | 'lagged' | 'failed' | 'closed';

/** Where a client wants to begin. */
export type Start =
  | { readonly since: { readonly epoch: string; readonly offset: number } }
  | { readonly rewind: number }
  | { readonly rewindMs: number }
  | undefined;

/** The answer to a join. The client gets it before the first replayed frame. */
export interface Joined {
  /** Where the client stands now; absent on live channels. */
  readonly position?: LogPosition;
  /** Whether the client missed nothing; present only if it came with `since`. */
  readonly recovered?: boolean;
  readonly reason?: ResetReason;
}
