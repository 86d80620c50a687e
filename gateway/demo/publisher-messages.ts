/** What the page and its publisher, a thread of its own, tell each other. */

export type PublisherCommand = { readonly type: 'rate'; readonly rate: number } | { readonly type: 'flood' };

export interface PublisherReport {
  readonly connected: boolean;
  /** Whether the ticks come from this page. */
  readonly leads: boolean;
  /** Ticks a second that are wanted; 0 is off. */
  readonly rate: number;
  /** Messages that this connection has seen published, on all channels of the demo. */
  readonly seen: number;
}
