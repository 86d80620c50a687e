/** Counts since the client was made. */
export interface Stats {
  /** Messages taken from the wire, each once however many local subscriptions it went to. */
  received: number;
  /** Frames of channels that covered only what had been seen already, and were dropped. */
  duplicatesDropped: number;
  /** Holes that the SDK saw by itself and closed by resuming. The gateway never makes one: it should stay 0. */
  gaps: number;
  /** Resumes without loss. */
  recovered: number;
  /** Times the gateway said that continuity is broken. */
  resets: number;
  /** Times a channel was left for a while because this client read too slowly. */
  lagged: number;
  /** Connections made after the first. */
  reconnects: number;
}

export function createStats(): Stats {
  return { received: 0, duplicatesDropped: 0, gaps: 0, recovered: 0, resets: 0, lagged: 0, reconnects: 0 };
}
