/**
 * The format of a payload. `json` is JSON text in UTF-8; `msgpack` is one MessagePack value of the JSON data model plus
 * binary.
 */
export type PayloadFormat = 'json' | 'msgpack';

export interface Payload {
  readonly format: PayloadFormat;
  readonly bytes: Uint8Array;
}

/**
 * One message with its payload still raw, as logs, hubs and raw dialects carry it.
 * Times are ms since the Unix epoch. `epoch` and `offset` are absent on live channels.
 */
export interface RawMessage {
  readonly offset?: number | undefined;
  /** The offset that the message follows, if it covers more offsets than its own. */
  readonly prev?: number | undefined;
  readonly time: number;
  readonly user?: string | undefined;
  readonly key?: string | undefined;
  readonly tags?: Tags | undefined;
  readonly payload: Payload;
}

/** Labels that travel with a message: names and values are strings. */
export type Tags = Readonly<Record<string, string>>;

/** Deepest nesting of arrays and objects in application data. Deeper data is `bad_request`. */
export const MAX_DEPTH = 128;
