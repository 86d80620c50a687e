/** The application port: what the gateway asks the application that its clients belong to. */
import type { Tags } from '@fanfare/protocol';
import type { NewMessage } from '../broker/record.js';
import type { Action, Identity } from './authenticator.js';

/** Who wants to do what. */
export interface Question {
  readonly action: Action;
  readonly channel: string;
  readonly identity: Identity;
  /** Id of the session, where there is one. */
  readonly session: string | undefined;
}

/** What becomes of a message: as it was sent, or as the application changed it; `undefined`: it is refused. */
export type Ruling = NewMessage | undefined;

export interface Application {
  /** Who a client is, by a token that means something to the application; `undefined`: it is refused. @throws as below */
  identify(token: string | undefined, remoteAddress: string): Promise<Identity | undefined>;
  /** @throws {FanfareError} `unavailable` if it does not answer. */
  permits(question: Question): Promise<boolean>;
  /** @throws {FanfareError} `unavailable` if it does not answer. */
  rule(question: Question, message: NewMessage): Promise<Ruling>;
}

export type { Tags };
