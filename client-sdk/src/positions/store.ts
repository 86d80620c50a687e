import type { Position } from '@fanfare/protocol';

/** A position as it is kept, as plain JSON. */
export interface StoredPosition extends Position {
  /** Whose it is; absent if anonymous. */
  readonly user?: string | undefined;
  /** When it was kept, ms since the Unix epoch. */
  readonly savedAt: number;
}

/**
 * Where positions are kept. An `id` names the gateway's address, the channel and the name that the application gave;
 * it is plain text of no fixed length. What a call throws, or rejects with, is told as `store_failed`.
 */
export interface PositionStore {
  /** What is kept under an id, or nothing. */
  load(id: string): StoredPosition | undefined | null | PromiseLike<StoredPosition | undefined | null>;
  /** Saves of one id never overlap: while one is not settled, only the newest of those to come is kept. */
  save(id: string, position: StoredPosition): unknown;
  /** Forgets what is kept under an id. */
  remove(id: string): unknown;
  /** What is kept under ids that begin like this, so that what belongs to another user is dropped. Optional. */
  ids?(prefix: string): readonly string[] | PromiseLike<readonly string[]>;
  /**
   * For stores that others use too: whether the id is ours alone now. If not, the subscription runs without what is
   * kept and keeps nothing, until `onHeld` is called. It is held until the signal aborts. Optional: always ours.
   */
  hold?(id: string, signal: AbortSignal, onHeld: () => void): boolean | PromiseLike<boolean>;
}
