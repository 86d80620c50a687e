/**
 * Holds what one connection is sent to "Contiguity" of docs/PROTOCOL.md: on a durable channel each frame
 * follows the one before, and nothing of a channel comes where the client is not on it.
 */
export declare class Contiguity {
  /** Takes the next frame of the gateway; what is wrong with it, `undefined` if nothing. */
  take(frame: { readonly type: string; readonly [field: string]: unknown }): string | undefined;
}
