/**
 * Application data as it was published: the bytes verbatim, and what they are.
 * `json` is UTF-8 JSON text; `msgpack` is one MessagePack value of the JSON data model plus binary.
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
  /** Where it covers more than its own offset: the offset that it follows. */
  readonly prev?: number | undefined;
  readonly time: number;
  readonly user?: string | undefined;
  readonly key?: string | undefined;
  readonly tags?: Tags | undefined;
  readonly payload: Payload;
}

/** String to string labels that travel with a message. */
export type Tags = Readonly<Record<string, string>>;

/** Deepest nesting of arrays and objects in application data; deeper is `bad_request`. */
export const MAX_DEPTH = 128;
