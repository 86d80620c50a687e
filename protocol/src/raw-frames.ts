import type { HistoryReplyFrame, MessageFrame, ServerFrame } from './frames.js';
import type { Payload, RawMessage } from './payload.js';

/** The fields of a message, with the payload as `data`. */
interface RawFields extends Omit<RawMessage, 'payload'> {
  readonly data: Payload;
}

/** A `message` whose application data is still raw. */
export interface RawMessageFrame extends RawFields {
  readonly type: 'message';
  readonly channel: string;
}

/** A `history` reply whose application data is still raw. */
export interface RawHistoryReplyFrame extends Omit<HistoryReplyFrame, 'messages'> {
  readonly messages: readonly (RawFields & { readonly epoch: string; readonly offset: number })[];
}

/** The frames that carry application data. */
export type PayloadFrame = RawMessageFrame | RawHistoryReplyFrame;

/**
 * Every frame that a gateway sends, in the form in which the gateway has it: application data is a {@link Payload}
 * wherever `data` stands.
 */
export type RawServerFrame = Exclude<ServerFrame, MessageFrame | HistoryReplyFrame> | PayloadFrame;
