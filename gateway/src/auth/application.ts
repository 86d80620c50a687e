/** The application port: what the gateway asks the application that its clients belong to. */
import type { Tags } from '@fanfare/protocol';
import type { NewMessage } from '../broker/record.js';
import type { Action, Identity } from './authenticator.js';

/** A question to the application: who wants to do what on which channel. */
export interface Question {
  readonly action: Action;
  readonly channel: string;
  readonly identity: Identity;
  /** Id of the session, if there is one. */
  readonly session: string | undefined;
}

/**
 * The application's decision about a message: the message as it was sent, or as the application changed it;
 * `undefined`: it is refused.
 */
export type Ruling = NewMessage | undefined;

/** The application, as it can be asked. */
export interface Application {
  /**
   * Asks who a client is, by a token that means something to the application; `undefined`: the client is refused.
   * @throws {FanfareError} `unavailable` if the application does not answer
   */
  identify(token: string | undefined, remoteAddress: string): Promise<Identity | undefined>;
  /** Asks whether somebody may do something. @throws {FanfareError} `unavailable` if the application does not answer */
  permits(question: Question): Promise<boolean>;
  /** Asks what becomes of a message. @throws {FanfareError} `unavailable` if the application does not answer */
  rule(question: Question, message: NewMessage): Promise<Ruling>;
}

export type { Tags };
