/**
 * Every frame of the wire protocol. A WebSocket frame of a client holds one of these objects; that of a gateway holds
 * one, or an array of them. The names of types, fields and words are those of docs/PROTOCOL.md.
 */
import type { ErrorCode, ResetReason } from './codes.js';
import type { Tags } from './payload.js';
import type { Position } from './position.js';

export type Durability = 'stored' | 'replicated';

/** How many replicas a publish waits for: a number from 1 on, or `all` that are in sync, but at least one. */
export type ReplicasWanted = number | 'all';

// --- client to gateway -------------------------------------------------------------------------

/** The first frame of a connection: who the client is. */
export interface ConnectFrame {
  readonly type: 'connect';
  readonly id: number;
  readonly token?: string;
  /** Name and version of the client software, e.g. `fanfare-js/0.1`. */
  readonly client?: string;
}

/** Asks for a channel, from a position on or from now on. */
export interface SubscribeFrame {
  readonly type: 'subscribe';
  readonly id: number;
  readonly channel: string;
  /** Resume after this position. At most one of `since`, `rewind` and `rewindMs` may be given. */
  readonly since?: Position;
  /** Begin with the last so many messages. At most one of `since`, `rewind` and `rewindMs` may be given. */
  readonly rewind?: number;
  /** Begin with the messages of the last so many ms. At most one of `since`, `rewind` and `rewindMs` may be given. */
  readonly rewindMs?: number;
  readonly token?: string;
  readonly presence?: boolean;
}

/** Leaves a channel. */
export interface UnsubscribeFrame {
  readonly type: 'unsubscribe';
  readonly id: number;
  readonly channel: string;
}

/** Publishes a message to a channel. */
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
  /** The id of the publishing session, if it should not get the message itself. */
  readonly except?: string;
}

/** Asks for messages of the log of a channel. At most one of `after` and `before` may be given. */
export interface HistoryFrame {
  readonly type: 'history';
  readonly id: number;
  readonly channel: string;
  readonly after?: Position;
  readonly before?: Position;
  readonly limit?: number;
}

/** Asks for the members of a channel. */
export interface PresenceFrame {
  readonly type: 'presence';
  readonly id: number;
  readonly channel: string;
  /** The list goes on where the reply with this `cursor` ended. */
  readonly cursor?: string;
  /** Most members of the reply. */
  readonly limit?: number;
}

/** Brings a new token for the connection or for one of its channels. */
export interface RefreshFrame {
  readonly type: 'refresh';
  readonly id: number;
  readonly token: string;
  /** The channel whose token is renewed. Absent: it is the token of the connection. */
  readonly channel?: string;
}

/** The answer to `ping`. */
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

/** The answer to `connect`: what the gateway says about the connection. */
export interface ConnectedFrame {
  /** What kind of frame it is. */
  readonly type: 'connected';
  /** The `id` of the `connect` that this answers. */
  readonly id: number;
  /** The id of this connection, unique among all gateways. */
  readonly session: string;
  /** The user that the token names. Absent if the client is anonymous. */
  readonly user?: string;
  /** The name of the gateway. */
  readonly node: string;
  /** Interval of `ping` frames, ms. */
  readonly ping: number;
  /** When the token expires, ms since the Unix epoch. Absent without a token, and for one that never ends. */
  readonly expires?: number;
  /**
   * How long the token still holds, ms, so that the clock of the client does not matter. Present together with
   * `expires`.
   */
  readonly expiresIn?: number;
  /** Largest frame that the gateway takes, bytes. */
  readonly maxFrame: number;
  /** How long an idempotency key holds, ms. */
  readonly idempotencyMs: number;
}

/** The answer to `subscribe`: the client is on the channel, and gets what follows. */
export interface SubscribedFrame {
  readonly type: 'subscribed';
  /**
   * The `id` of the `subscribe` that this answers. Absent: the gateway put the connection on the channel by itself,
   * because its token says so.
   */
  readonly id?: number;
  readonly channel: string;
  readonly durable: boolean;
  /** With `offset`, the position where the client stands now. Only on durable channels. */
  readonly epoch?: string;
  readonly offset?: number;
  /** Whether nothing was missed. Only if `since` was sent. */
  readonly recovered?: boolean;
  /** Why continuity broke. Only if `recovered` is false. */
  readonly reason?: ResetReason;
  /** When the channel token expires, ms since the Unix epoch. Only with a channel token that ends. */
  readonly expires?: number;
  readonly expiresIn?: number;
}

/**
 * The client is off a channel. With `id`, it is the reply to `unsubscribe`. Without, the server took the client off,
 * and `code` and `message` say why.
 */
export interface UnsubscribedFrame {
  readonly type: 'unsubscribed';
  readonly id?: number;
  readonly channel: string;
  readonly code?: ErrorCode;
  readonly message?: string;
}

/** The answer to `publish`: the message was taken, and, on a durable channel, is in the log. */
export interface PublishedFrame {
  readonly type: 'published';
  readonly id: number;
  readonly channel: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly duplicate?: boolean;
  /** The durability that was reached. Only if `durability: "replicated"` was asked for. */
  readonly durability?: Durability;
  /** How many replicas have the message. Only if `durability: "replicated"` was asked for. */
  readonly replicas?: number;
  /** How many replicas are in sync. Only if `durability: "replicated"` was asked for. */
  readonly of?: number;
}

/** One message of a `history` reply. */
export interface HistoryMessage {
  readonly epoch: string;
  readonly offset: number;
  readonly data: unknown;
  readonly time: number;
  readonly user?: string;
  readonly key?: string;
  readonly tags?: Tags;
}

/** The answer to `history`: a page of the log. */
export interface HistoryReplyFrame {
  readonly type: 'history';
  readonly id: number;
  readonly channel: string;
  readonly messages: readonly HistoryMessage[];
  readonly more: boolean;
  /** Where the log ended when it was read. Its offset is 0 if nothing was ever published. */
  readonly head: Position;
}

/** One user on a channel with all of its sessions there, or one anonymous session. */
export interface PresenceMember {
  /** The session with which the member joined. */
  readonly session: string;
  /** The user. Absent if the member is anonymous. */
  readonly user?: string;
  /** What the token of the member says for others to see. */
  readonly info?: unknown;
  /** How many sessions the member has on the channel. */
  readonly sessions: number;
}

/** The answer to `presence`: a page of the members of a channel. */
export interface PresenceReplyFrame {
  readonly type: 'presence';
  readonly id: number;
  readonly channel: string;
  readonly members: readonly PresenceMember[];
  /** How many members are on the channel, whether they are on this page or not. */
  readonly count: number;
  /** The list shows joins and leaves up to this revision. */
  readonly rev: number;
  /** Present if more members follow: ask again with this `cursor`. */
  readonly cursor?: string;
}

/** The answer to `refresh`: the new token holds. */
export interface RefreshedFrame {
  readonly type: 'refreshed';
  readonly id: number;
  /** The channel whose token was renewed. Absent if it was the token of the connection. */
  readonly channel?: string;
  readonly expires?: number;
  readonly expiresIn?: number;
}

// --- gateway to client: unasked ----------------------------------------------------------------

/**
 * A frame of a durable channel covers the offsets from `prev` + 1 to `offset`. A client that stands at p takes the
 * frame if `prev` <= p < `offset`, and stands at `offset` then. If `offset` <= p, it has the frame already. If `prev` >
 * p, frames are missing, so it subscribes again from p.
 */
export interface MessageFrame {
  readonly type: 'message';
  readonly channel: string;
  /** The offset of the message in the log. Only on durable channels. */
  readonly offset?: number;
  /** The offset that the frame follows, which is less than `offset`. Absent: `offset` - 1. Only on durable channels. */
  readonly prev?: number;
  readonly data: unknown;
  readonly time: number;
  readonly user?: string;
  readonly key?: string;
  readonly tags?: Tags;
}

/** Covers offsets as a {@link MessageFrame} does, but carries no message. */
export interface PositionFrame {
  readonly type: 'position';
  readonly channel: string;
  readonly offset: number;
  /** The offset that the frame follows, which is less than `offset`. Absent: `offset` - 1. */
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
  /**
   * The offset that the frame follows, which is at most `offset`. Absent: `offset`, so that the frame covers no
   * offsets.
   */
  readonly prev?: number;
}

/** Continuity of a channel broke: the client stands at this position now, and messages before it may be lost to it. */
export interface ResetFrame {
  readonly type: 'reset';
  readonly channel: string;
  readonly reason: ResetReason;
  readonly epoch: string;
  readonly offset: number;
}

/** The client read too slowly, and was taken off these channels. It comes back by subscribing from its positions. */
export interface LaggedFrame {
  readonly type: 'lagged';
  readonly channels: readonly string[];
}

/** A member joined the channel. `rev` grows, and a list with this or a higher `rev` shows the member already. */
export interface JoinFrame {
  readonly type: 'join';
  readonly channel: string;
  readonly member: PresenceMember;
  readonly rev: number;
}

/** A member left the channel with its last session; its `sessions` is 0. */
export interface LeaveFrame {
  readonly type: 'leave';
  readonly channel: string;
  readonly member: PresenceMember;
  readonly rev: number;
}

/** A sign of life, which the client answers with `pong`. */
export interface PingFrame {
  readonly type: 'ping';
}

/** A request failed, or the connection is about to be closed. */
export interface ErrorFrame {
  readonly type: 'error';
  readonly id?: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  /** When the client may try again, ms. */
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
