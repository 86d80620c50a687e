import type { Authenticator } from '../auth/authenticator.js';
import type { Clock } from '../clock.js';
import type { Hub } from '../hub/hub.js';
import type { LeaveCause } from '../hub/subscriber.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { Stats } from '../stats.js';
import type { Client } from './client.js';
import type { CommandTable } from './commands.js';
import type { SessionLimits } from './rates.js';

/**
 * Is told when clients connect, enter and leave channels, and go; presence and webhooks are listeners. No method may
 * throw or wait.
 */
export interface SessionListener {
  /** Called when the client has said who it is. */
  onConnected?(client: Client): void;
  /** Called when the client has given a new token, by which it may do other things than before. */
  onRefreshed?(client: Client): void;
  /**
   * Called when the client is on the channel and was told so, and once more each time that it starts over from another
   * position.
   * @param presence whether it wants to be a member, and to hear of the others
   */
  onEntered?(client: Client, channel: ChannelPolicy, presence: boolean): void;
  /**
   * Called when the client was on the channel, or about to be, and no longer is. A client that `lagged` comes back as
   * soon as it has read what it was sent.
   */
  onLeft?(client: Client, channel: string, cause: LeaveCause): void;
  /** Called when nothing reaches a client any more that had connected. */
  onClosed?(client: Client): void;
  /**
   * Called when the client's socket is gone, whether the client had connected or not.
   * @param code the close code
   * @param user who the client was last, if it said so
   */
  onGone?(client: Client, code: number, user: string | undefined): void;
}

/** What the sessions of a gateway share. */
export interface SessionServices {
  readonly hub: Hub;
  readonly authenticator: Authenticator;
  readonly commands: CommandTable;
  /** Who is told what clients do. Default: nobody. */
  readonly listeners?: readonly SessionListener[];
  readonly clock: Clock;
  readonly stats: Stats;
  readonly limits: SessionLimits;
  /** Called with faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}
