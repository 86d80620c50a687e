import type { Identity } from '../auth/authenticator.js';
import type { Charge } from './rates.js';

/** Who owns the sessions of a gateway: decides what counts over all of them, and is told what becomes of each. */
export interface SessionOwner<Session> {
  /** Whether one more of this user may connect. @throws {FanfareError} `limit_exceeded` */
  admit(identity: Identity): void;
  /** Takes a frame of its user, over all connections. 0 if granted, else after how many ms it would be. */
  userWaitMs(session: Session, charge: Charge): number;
  /** A channel that nobody here is on is asked for. 0 if it may become alive, else after how many ms. */
  channelWaitMs(session: Session): number;
  /** The session has said who it is: the first time, or anew with another identity than `before`. */
  onIdentified(session: Session, before: Identity | undefined): void;
  /** Its client has not read what it was sent, and is off its topics. */
  onLagging(session: Session): void;
  /** Its client has read everything again. */
  onCaughtUp(session: Session): void;
  /** Nothing reaches its client any more; the socket may still be closing. */
  onEnded(session: Session): void;
  /** Its socket is gone. */
  onGone(session: Session): void;
}
