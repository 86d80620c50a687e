import type { Authenticator } from '../auth/authenticator.js';
import type { Clock } from '../clock.js';
import type { Hub } from '../hub/hub.js';
import type { LeaveCause } from '../hub/subscriber.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { Stats } from '../stats.js';
import type { Client } from './client.js';
import type { CommandTable } from './commands.js';
import type { SessionLimits } from './rates.js';

/** Is told who connects, enters and leaves channels, and goes: presence, webhooks. No method may throw or wait. */
export interface SessionListener {
  /** The client has said who it is. */
  onConnected?(client: Client): void;
  /** The client has given a new token: it may do other things than before. */
  onRefreshed?(client: Client): void;
  /**
   * The client is on the channel and was told so; once more where it started over from another position.
   * @param presence whether it wants to be a member, and to hear of the others
   */
  onEntered?(client: Client, channel: ChannelPolicy, presence: boolean): void;
  /**
   * The client was on the channel, or about to be, and no longer is. A client that `lagged` comes back as soon as it has read
   * what it was sent.
   */
  onLeft?(client: Client, channel: string, cause: LeaveCause): void;
  /** The client had connected, and nothing reaches it any more. */
  onClosed?(client: Client): void;
  /**
   * The client's socket is gone, whether it had connected or not.
   * @param code of the close
   * @param user who it was last, if it said so
   */
  onGone?(client: Client, code: number, user: string | undefined): void;
}

/** What the sessions of a gateway share. */
export interface SessionServices {
  readonly hub: Hub;
  readonly authenticator: Authenticator;
  readonly commands: CommandTable;
  /** Default: none. */
  readonly listeners?: readonly SessionListener[];
  readonly clock: Clock;
  readonly stats: Stats;
  readonly limits: SessionLimits;
  /** Told of faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}
