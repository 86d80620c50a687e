/** What the page and its reader, a thread of its own, tell each other. */
import type { ConnectionState, Position, ResetReason } from '@fanfare/client';
import type { LedgerRow } from './ledger.js';

export type ReaderCommand =
  | { readonly type: 'cut'; readonly offlineMs: number }
  | { readonly type: 'freeze'; readonly forMs: number }
  | { readonly type: 'publish'; readonly id: string; readonly channel: string; readonly data: unknown };

/** One message, as it was delivered. */
export interface Delivery {
  readonly channel: string;
  readonly offset: number;
  /** When the gateway stored it, ms since the Unix epoch. */
  readonly time: number;
  /** Absent for the flood: nobody looks at it. */
  readonly data?: unknown;
  /** It was published while this page could not read. */
  readonly late: boolean;
}

/** The connection and its books, as they stand. */
export interface ReaderState {
  readonly connection: ConnectionState;
  /** Name of the gateway; while connected. */
  readonly node: string | undefined;
  readonly reconnects: number;
  /** Times the gateway took this page off its channels until it had read what was buffered. */
  readonly lagged: number;
  /** Something that was published while this page could not read may still be missing. */
  readonly catchingUp: boolean;
  readonly rows: readonly LedgerRow[];
}

/** Something happened that is worth a line. */
export type Note =
  | { readonly kind: 'connected' }
  | { readonly kind: 'cut'; readonly offlineMs: number }
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'reconnected' }
  | { readonly kind: 'frozen'; readonly forMs: number }
  | { readonly kind: 'thawed' }
  | { readonly kind: 'lagged' }
  | { readonly kind: 'reset'; readonly channel: string; readonly reason: ResetReason; readonly position: Position }
  /** All that was published meanwhile is here: so many messages. */
  | { readonly kind: 'caughtUp'; readonly messages: number }
  | { readonly kind: 'failed'; readonly message: string };

export type ReaderReport =
  | { readonly type: 'progress'; readonly state: ReaderState; readonly deliveries: readonly Delivery[] }
  | { readonly type: 'note'; readonly note: Note }
  /** A frame of the handshake that resumes the ticker. */
  | { readonly type: 'frame'; readonly text: string }
  | { readonly type: 'published'; readonly id: string; readonly error?: string };
