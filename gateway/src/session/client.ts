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

/** A validated frame, its application data still raw. */
export interface Command {
  readonly frame: CommandFrame;
  readonly payload: Payload | undefined;
}

/** One connected client, as conversations, commands and listeners see it; `Session` implements it. */
export interface Client extends Caller {
  /** Unique among all gateways and their earlier lives. */
  readonly id: string;
  readonly remoteAddress: string;
  readonly dialect: RawDialect;
  /** When it connected, ms of the gateway's clock. */
  readonly openedAtMs: number;
  /** Nothing reaches the client any more. */
  readonly isClosed: boolean;
  /** The channels it is on. */
  readonly memberships: Memberships;
  /** What it may still send. */
  readonly guard: FrameGuard;
  /** Sends pages of the log, which wait for the client to read. */
  readonly writer: SocketWriter;

  /** Who a token stands for. @throws {FanfareError} `unauthorized`, `token_expired`, `forbidden`, `unavailable` */
  authenticate(token: string | undefined): Identity | Promise<Identity>;
  /** What the token of a `subscribe` gives. @throws {FanfareError} as {@link authenticate} */
  readChannelToken(token: string): Promise<ChannelGrant>;
  /** It is this one from now on, and counts as connected. Its conversation calls it once, `refresh` again. */
  identify(identity: Identity): void;
  /** Whether its rates allow a frame; it is answered with `rate_limited` if not. */
  isGranted(id: number | undefined, charge: Charge): boolean;
  /** 0 if the client may wait for this channel now, else after how many ms. */
  channelWaitMs(channel: string): number;
  /** Runs a command, which is answered in time. @param bytes of the frame that it came in */
  run(command: Command, bytes: number): void;

  /** Sends a reply or notice. Never dropped: while the socket lags it waits. */
  reply(frame: RawServerFrame): void;
  /** Sends a reply that need not keep its place among the others, together with those of the same turn. */
  replySoon(frame: RawServerFrame): void;
  /**
   * Sends a reply that is too large to wait among those of a socket that lags: once the client has read what it was
   * sent. Resolves then, or when it is gone.
   */
  replyDrained(frame: RawServerFrame): Promise<void>;
  /** Takes it off a channel, and tells it why. */
  takeOff(channel: string, why: FanfareError): void;
  /** Sends an `error`. @param id of the request that failed, if it could be read */
  replyError(id: number | undefined, error: ErrorAnswer): void;
  close(code: CloseCode, reason: string): void;
}
