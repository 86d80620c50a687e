import type { Identity } from '../auth/authenticator.js';
import type { Charge } from './rates.js';

/** The owner of a gateway's sessions. It decides what counts over all of them, and is told what becomes of each. */
export interface SessionOwner<Session> {
  /** Whether one more of this user may connect. @throws {FanfareError} `limit_exceeded` */
  admit(identity: Identity): void;
  /**
   * Counts a frame of the session's user, over all connections. 0 if it is granted, otherwise after how many ms it
   * would be.
   */
  userWaitMs(session: Session, charge: Charge): number;
  /**
   * When a channel that nobody here is on may become alive for this session: 0 for now, otherwise after how many ms.
   */
  channelWaitMs(session: Session): number;
  /** Called when the session has said who it is, for the first time or again. `before` is its identity until then. */
  onIdentified(session: Session, before: Identity | undefined): void;
  /** Called when the client has not read what it was sent, and is off its topics. */
  onLagging(session: Session): void;
  /** Called when the client has read everything again. */
  onCaughtUp(session: Session): void;
  /** Called when nothing reaches the client any more. The socket may still be closing. */
  onEnded(session: Session): void;
  /** Called when the socket is gone. */
  onGone(session: Session): void;
}
