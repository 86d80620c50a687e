/** The channels of the demo and what is published on them. Anybody may publish there, so everything is checked. */

export const CHAT = 'demo:chat';
export const TICKER = 'demo:ticker';
export const HELLO = 'demo:hello';
export const FLOOD = 'demo:flood';
/** The open pages agree here who publishes the ticks. Live: an old announcement is worth nothing. */
export const PUBLISHERS = 'live:demo-publishers';

/** The channels that a page reads. */
export const READ = [TICKER, CHAT, HELLO, FLOOD] as const;

/** One line of the chat; `id` lets its author recognise it. */
export interface ChatLine {
  readonly id: string;
  readonly name: string;
  readonly text: string;
}

export const SYMBOLS = ['BRASS', 'BUGLE', 'CORNET', 'FIFE', 'HORN', 'TUBA'] as const;
export type Ticker = (typeof SYMBOLS)[number];

export interface Tick {
  readonly symbol: Ticker;
  readonly price: number;
}

/** Of a publisher; `leads`: it is the one who publishes, and says so again and again. */
export interface Announcement {
  readonly publisher: string;
  readonly leads: boolean;
  /** Ticks a second that are wanted; 0 is off. */
  readonly rate: number;
}

export function parseChatLine(data: unknown): ChatLine | undefined {
  const { id, name, text } = fieldsOf(data);
  return typeof id === 'string' && typeof name === 'string' && typeof text === 'string'
    ? { id, name, text }
    : undefined;
}

export function parseTick(data: unknown): Tick | undefined {
  const { symbol, price } = fieldsOf(data);
  const known = SYMBOLS.find((one) => one === symbol);
  return known && typeof price === 'number' && Number.isFinite(price) ? { symbol: known, price } : undefined;
}

export function parseAnnouncement(data: unknown): Announcement | undefined {
  const { publisher, leads, rate } = fieldsOf(data);
  const valid = typeof publisher === 'string' && typeof leads === 'boolean' && typeof rate === 'number';
  return valid ? { publisher, leads, rate: clampRate(rate) } : undefined;
}

/** Ticks a second that a page is willing to publish. */
export function clampRate(rate: number): number {
  return Math.min(100, Math.max(0, Math.round(rate) || 0));
}

/** Unguessable enough for a demo; `crypto.randomUUID` is missing where a page comes over plain HTTP. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fieldsOf(data: unknown): Readonly<Record<string, unknown>> {
  return typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
}
