import type { ClientFrame, CloseCode, Payload, RawDialect, RawServerFrame } from '@fanfare/protocol';
import type { ChannelGrant, Identity } from '../auth/authenticator.js';
import type { Caller } from '../channels/access.js';
import type { ErrorAnswer, FanfareError } from '../errors.js';
import type { FrameGuard } from './frame-guard.js';
import type { Memberships } from './memberships.js';
import type { Charge } from './rates.js';
import type { SocketWriter } from './socket-writer.js';

/** A frame that asks for something, once the connection is open. */
export type CommandFrame = Exclude<ClientFrame, { type: 'connect' | 'pong' }>;

/** A validated frame of a client, with its application data still raw. */
export interface Command {
  readonly frame: CommandFrame;
  readonly payload: Payload | undefined;
}

/** One connected client, as conversations, commands and listeners see it; `Session` implements it. */
export interface Client extends Caller {
  /** Id of the client's session, unique among all gateways and their earlier lives. */
  readonly id: string;
  readonly remoteAddress: string;
  readonly dialect: RawDialect;
  /** When its socket was opened, ms of the gateway's clock. */
  readonly openedAtMs: number;
  /** Whether nothing reaches the client any more. */
  readonly isClosed: boolean;
  /** The channels that the client is on or joining. */
  readonly memberships: Memberships;
  /** Counts what the client sends, and says what it may still send. */
  readonly guard: FrameGuard;
  /** Sends pages of the log, which wait for the client to read. */
  readonly writer: SocketWriter;

  /**
   * Finds out who a token stands for. @throws {FanfareError} `unauthorized`, `token_expired`, `forbidden`,
   * `unavailable`
   */
  authenticate(token: string | undefined): Identity | Promise<Identity>;
  /** Reads what the token of a `subscribe` gives. @throws {FanfareError} as {@link authenticate} */
  readChannelToken(token: string): Promise<ChannelGrant>;
  /**
   * Gives the client its identity; from now on it counts as connected. The conversation calls this once, and `refresh`
   * calls it again.
   */
  identify(identity: Identity): void;
  /** Whether the rates of the client allow a frame. If not, the frame is answered with `rate_limited`. */
  isGranted(id: number | undefined, charge: Charge): boolean;
  /** When the client may wait for this channel: 0 for now, otherwise after how many ms. */
  channelWaitMs(channel: string): number;
  /** Runs a command, and sees to it that it is answered. @param bytes size of the frame in which it came */
  run(command: Command, bytes: number): void;

  /** Sends a reply or notice. It is never dropped, but waits while the socket lags. */
  reply(frame: RawServerFrame): void;
  /**
   * Sends a reply that need not keep its place among others, together with those of the same turn of the event loop.
   */
  replySoon(frame: RawServerFrame): void;
  /**
   * Sends a reply that is too large to wait among those of a lagging socket: it is sent once the client has read
   * everything before it. Resolves then, or when the client is gone.
   */
  replyDrained(frame: RawServerFrame): Promise<void>;
  /** Takes the client off a channel, and tells it why. */
  takeOff(channel: string, why: FanfareError): void;
  /** Sends an `error`. @param id the id of the request that failed, if it could be read */
  replyError(id: number | undefined, error: ErrorAnswer): void;
  close(code: CloseCode, reason: string): void;
}
