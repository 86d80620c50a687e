import type { Position } from '@fanfare/protocol';

/** A position as it is kept, as plain JSON. */
export interface StoredPosition extends Position {
  /** The user whose position it is, absent if anonymous. */
  readonly user?: string | undefined;
  /** When it was kept, ms since the Unix epoch. */
  readonly savedAt: number;
}

/**
 * Where positions are kept. An `id` names the address of the gateway, the channel, and the name that the application
 * gave. It is plain text of no fixed length. What a call throws, or rejects with, is told as `store_failed`.
 */
export interface PositionStore {
  /** Returns what is kept under an id, or nothing. */
  load(id: string): StoredPosition | undefined | null | PromiseLike<StoredPosition | undefined | null>;
  /**
   * Keeps a position under an id. Saves of one id never overlap: while one is not settled, only the newest of those to
   * come is saved next.
   */
  save(id: string, position: StoredPosition): unknown;
  /** Forgets what is kept under an id. */
  remove(id: string): unknown;
  /**
   * Returns the ids that begin like this, so that what belongs to another user can be dropped. A store may do without it.
   */
  ids?(prefix: string): readonly string[] | PromiseLike<readonly string[]>;
  /**
   * Returns whether the id is ours alone now, for stores that others use too. If not, the subscription runs without what
   * is kept and keeps nothing, until `onHeld` is called. It is held until the signal aborts. Without this function an id
   * is always ours.
   */
  hold?(id: string, signal: AbortSignal, onHeld: () => void): boolean | PromiseLike<boolean>;
}
