/** What a client has counted since it was made. */
export interface Stats {
  /** How many messages were taken from the wire. Each counts once, however many local subscriptions it went to. */
  received: number;
  /** How many frames were dropped because they covered only what had been seen already. */
  duplicatesDropped: number;
  /** How many holes the SDK saw by itself and closed by resuming. A gateway never makes one, so it should stay 0. */
  gaps: number;
  /** How many times a channel was resumed without loss. */
  recovered: number;
  /** How many times the gateway said that continuity is broken. */
  resets: number;
  /** How many times a channel was left for a while because this client read too slowly. */
  lagged: number;
  /** How many connections were made after the first. */
  reconnects: number;
}

export function createStats(): Stats {
  return { received: 0, duplicatesDropped: 0, gaps: 0, recovered: 0, resets: 0, lagged: 0, reconnects: 0 };
}
