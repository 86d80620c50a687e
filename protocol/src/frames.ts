/**
 * Every frame of the wire protocol. A WebSocket frame of a client holds one of these objects, one of a
 * gateway holds one or an array of them.
 * The names of types, fields and words are those of docs/PROTOCOL.md.
 */
import type { ErrorCode, ResetReason } from './codes.js';
import type { Tags } from './payload.js';
import type { Position } from './position.js';

export type Durability = 'stored' | 'replicated';

/** How many replicas a publish waits for: a number from 1 on, or all that are in sync, one at least. */
export type ReplicasWanted = number | 'all';

// --- client to gateway -------------------------------------------------------------------------

export interface ConnectFrame {
  readonly type: 'connect';
  readonly id: number;
  readonly token?: string;
  /** Name and version of the client software, e.g. `fanfare-js/0.1`. */
  readonly client?: string;
}

export interface SubscribeFrame {
  readonly type: 'subscribe';
  readonly id: number;
  readonly channel: string;
  /** At most one start: resume after this position, */
  readonly since?: Position;
  /** or begin with the last n messages, */
  readonly rewind?: number;
  /** or with the messages of the last n ms. */
  readonly rewindMs?: number;
  readonly token?: string;
  readonly presence?: boolean;
}

export interface UnsubscribeFrame {
  readonly type: 'unsubscribe';
  readonly id: number;
  readonly channel: string;
}

export interface PublishFrame {
  readonly type: 'publish';
  readonly id: number;
  readonly channel: string;
  readonly data: unknown;
  readonly key?: string;
  readonly tags?: Tags;
  readonly durability?: Durability;
  /** Only with `durability: "replicated"`. Default `all`. */
  readonly replicas?: ReplicasWanted;
  /** The session that publishes, if it is not to get the message itself. */
  readonly except?: string;
}

export interface HistoryFrame {
  readonly type: 'history';
  readonly id: number;
  readonly channel: string;
  readonly after?: Position;
  readonly before?: Position;
  readonly limit?: number;
}

export interface PresenceFrame {
  readonly type: 'presence';
  readonly id: number;
  readonly channel: string;
  /** Goes on where the reply with this `cursor` ended. */
  readonly cursor?: string;
  /** Most members of the reply. */
  readonly limit?: number;
}

export interface RefreshFrame {
  readonly type: 'refresh';
  readonly id: number;
  readonly token: string;
  /** Renews the token of this channel instead of that of the connection. */
  readonly channel?: string;
}

export interface PongFrame {
  readonly type: 'pong';
}

/** What a client sends. */
export type ClientFrame =
  | ConnectFrame
  | SubscribeFrame
  | UnsubscribeFrame
  | PublishFrame
  | HistoryFrame
  | PresenceFrame
  | RefreshFrame
  | PongFrame;

// --- gateway to client: replies ----------------------------------------------------------------

/** The answer to `connect`: what the gateway says of the connection. */
export interface ConnectedFrame {
  /** What kind of frame it is. */
  readonly type: 'connected';
  /** That of the `connect` it answers. */
  readonly id: number;
  /** Names this connection among all of all gateways. */
  readonly session: string;
  /** The user that the token names; absent if anonymous. */
  readonly user?: string;
  /** The name of the gateway. */
  readonly node: string;
  /** Interval of `ping` frames, ms. */
  readonly ping: number;
  /** When the token expires, ms since the Unix epoch; absent without a token that ends. */
  readonly expires?: number;
  /** How long the token still holds, ms, whatever the clock of the client says; present with `expires`. */
  readonly expiresIn?: number;
  /** Largest frame the gateway takes, bytes. */
  readonly maxFrame: number;
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
}

export interface SubscribedFrame {
  readonly type: 'subscribed';
  /** Without `id`: the gateway put the connection on the channel, because its token says so. */
  readonly id?: number;
  readonly channel: string;
  readonly durable: boolean;
  /** Where the client now stands; durable channels only. */
  readonly epoch?: string;
  readonly offset?: number;
  /** Only if `since` was sent. */
  readonly recovered?: boolean;
  /** Only if `recovered` is false. */
  readonly reason?: ResetReason;
  /** Only with a channel token that ends: when, and how long that is from now, as in `connected`. */
  readonly expires?: number;
  readonly expiresIn?: number;
}

/** With `id`: the reply. Without: taken off by the server, and `code` and `message` say why. */
export interface UnsubscribedFrame {
  readonly type: 'unsubscribed';
  readonly id?: number;
  readonly channel: string;
  readonly code?: ErrorCode;
  readonly message?: string;
}

export interface PublishedFrame {
  readonly type: 'published';
  readonly id: number;
  readonly channel: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly duplicate?: boolean;
  /** With `durability: "replicated"`: what was reached, */
  readonly durability?: Durability;
  /** how many replicas have it, */
  readonly replicas?: number;
  /** and how many there are that are in sync. */
  readonly of?: number;
}

export interface HistoryMessage {
  readonly epoch: string;
  readonly offset: number;
  readonly data: unknown;
  readonly time: number;
  readonly user?: string;
  readonly key?: string;
  readonly tags?: Tags;
}

export interface HistoryReplyFrame {
  readonly type: 'history';
  readonly id: number;
  readonly channel: string;
  readonly messages: readonly HistoryMessage[];
  readonly more: boolean;
  /** Where the log ended when it was read; offset 0 if nothing was ever published. */
  readonly head: Position;
}

/** One user on a channel with all of its sessions there, or one anonymous session. */
export interface PresenceMember {
  /** The session with which it joined. */
  readonly session: string;
  /** Absent if anonymous. */
  readonly user?: string;
  /** What its token says for others to see. */
  readonly info?: unknown;
  /** Sessions on the channel. */
  readonly sessions: number;
}

export interface PresenceReplyFrame {
  readonly type: 'presence';
  readonly id: number;
  readonly channel: string;
  readonly members: readonly PresenceMember[];
  /** Members on the channel, on this page or not. */
  readonly count: number;
  /** The list shows joins and leaves up to this revision. */
  readonly rev: number;
  /** More follow: ask again with this. */
  readonly cursor?: string;
}

export interface RefreshedFrame {
  readonly type: 'refreshed';
  readonly id: number;
  /** Only if it is the token of a channel that was renewed. */
  readonly channel?: string;
  readonly expires?: number;
  readonly expiresIn?: number;
}

// --- gateway to client: unasked ----------------------------------------------------------------

/**
 * A frame of a durable channel covers the offsets from `prev` + 1 to `offset`. A client that stands at p
 * takes it if `prev` <= p < `offset`, and stands at `offset` then. `offset` <= p: it has it already.
 * `prev` > p: frames are missing, so it subscribes again from p.
 */
export interface MessageFrame {
  readonly type: 'message';
  readonly channel: string;
  /** Durable channels only. */
  readonly offset?: number;
  /** Durable channels only; less than `offset`. Absent: `offset` - 1. */
  readonly prev?: number;
  readonly data: unknown;
  readonly time: number;
  readonly user?: string;
  readonly key?: string;
  readonly tags?: Tags;
}

/** Covers offsets as a {@link MessageFrame} does, and carries nothing. */
export interface PositionFrame {
  readonly type: 'position';
  readonly channel: string;
  readonly offset: number;
  /** Less than `offset`. Absent: `offset` - 1. */
  readonly prev?: number;
}

/**
 * The log goes on in this epoch behind `offset`. The offsets from `prev` + 1 to `offset`, if there are any,
 * are still of the epoch before.
 */
export interface EpochFrame {
  readonly type: 'epoch';
  readonly channel: string;
  readonly epoch: string;
  readonly offset: number;
  /** At most `offset`. Absent: `offset`, so that the frame covers nothing. */
  readonly prev?: number;
}

export interface ResetFrame {
  readonly type: 'reset';
  readonly channel: string;
  readonly reason: ResetReason;
  readonly epoch: string;
  readonly offset: number;
}

export interface LaggedFrame {
  readonly type: 'lagged';
  readonly channels: readonly string[];
}

/** Somebody joined the channel; `rev` grows, and a list with this or a higher one shows it already. */
export interface JoinFrame {
  readonly type: 'join';
  readonly channel: string;
  readonly member: PresenceMember;
  readonly rev: number;
}

/** Its last session left the channel: `sessions` is 0. */
export interface LeaveFrame {
  readonly type: 'leave';
  readonly channel: string;
  readonly member: PresenceMember;
  readonly rev: number;
}

export interface PingFrame {
  readonly type: 'ping';
}

export interface ErrorFrame {
  readonly type: 'error';
  readonly id?: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  /** ms */
  readonly retryAfter?: number;
}

/** What a gateway sends. */
export type ServerFrame =
  | ConnectedFrame
  | SubscribedFrame
  | UnsubscribedFrame
  | PublishedFrame
  | HistoryReplyFrame
  | PresenceReplyFrame
  | RefreshedFrame
  | MessageFrame
  | PositionFrame
  | EpochFrame
  | ResetFrame
  | LaggedFrame
  | JoinFrame
  | LeaveFrame
  | PingFrame
  | ErrorFrame;

/** What either side sends. */
export type Frame = ClientFrame | ServerFrame;
