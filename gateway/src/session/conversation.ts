/**
 * The conversation port: how the connections of one kind speak. A dialect says how a frame looks; a conversation says
 * how a connection opens, which message of the client is which command, and what the client is told. Today's is in
 * `fanfare/`; others are registered in the composition root.
 */
import type { CloseCode, RawDialect, RawServerFrame, Wire } from '@fanfare/protocol';
import type { UpgradeRequest } from '../transport/transport.js';
import type { Client } from './client.js';

export interface Conversation {
  /** The label of its callers in counters; see `Caller`. */
  readonly entrance: string;
  /** Whether WebSockets of this path speak like this. */
  serves(path: string): boolean;
  /** How one connection begins, by its request alone: the socket is not open yet. */
  greet(request: UpgradeRequest): Greeting;
}

export interface Greeting {
  /** Chosen from those that the client offered; `undefined` where it offered none. */
  readonly subprotocol: string | undefined;
  readonly dialect: RawDialect;
  /** Closes the socket as soon as it is open: a browser is told a close code, but not why an upgrade was refused. */
  readonly refusal?: { readonly code: CloseCode; readonly reason: string } | undefined;
  /** The gateway's part of the conversation with one client, who can be sent nothing yet: see {@link Speaker.onOpen}. */
  readonly speakTo: (client: Client) => Speaker;
}

/** The gateway's part in the conversation with one client. No method may throw. */
export interface Speaker {
  /** The client can be sent something: what the gateway says first. Absent: it waits for the client. */
  onOpen?(): void;
  /** One whole message of the client; `data` is lent for the call. Not called once the client is closed. */
  onMessage(data: Uint8Array, binary: boolean): void;
  /** What the client is sent for a frame; `undefined`: nothing. */
  toWire(frame: RawServerFrame): Wire | undefined;
}
