/**
 * The conversation port: how the connections of one kind speak. A dialect says how a frame looks; a conversation says
 * how a connection opens, which message of the client is which command, and what the client is told. The one of
 * docs/PROTOCOL.md is in `fanfare/`; others are registered in the composition root.
 */
import type { CloseCode, RawDialect, RawServerFrame, Wire } from '@fanfare/protocol';
import type { UpgradeRequest } from '../transport/transport.js';
import type { Client } from './client.js';

export interface Conversation {
  /** The label that counters have for its callers; see `Caller`. */
  readonly entrance: string;
  /** Whether WebSockets on this path speak this conversation. */
  serves(path: string): boolean;
  /** How one connection begins. It is decided by the request alone, because the socket is not open yet. */
  greet(request: UpgradeRequest): Greeting;
}

export interface Greeting {
  /** The subprotocol, chosen from those that the client offered; `undefined` if it offered none. */
  readonly subprotocol: string | undefined;
  readonly dialect: RawDialect;
  /**
   * If set, the socket is closed with this as soon as it is open. A browser is told a close code, but it is not told
   * why an upgrade was refused.
   */
  readonly refusal?: { readonly code: CloseCode; readonly reason: string } | undefined;
  /**
   * Makes the gateway's part of the conversation with one client. The client cannot be sent anything yet: see
   * {@link Speaker.onOpen}.
   */
  readonly speakTo: (client: Client) => Speaker;
}

/** The gateway's part in the conversation with one client. No method may throw. */
export interface Speaker {
  /**
   * Called when the client can be sent something, for what the gateway says first. Absent: it waits for the client to
   * speak.
   */
  onOpen?(): void;
  /**
   * Called with each whole message of the client; `data` is lent for the call. Not called once the client is closed.
   */
  onMessage(data: Uint8Array, binary: boolean): void;
  /** What the client is sent for a frame; `undefined`: it is sent nothing. */
  toWire(frame: RawServerFrame): Wire | undefined;
}
