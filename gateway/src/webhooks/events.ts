/** What an application can be told of by webhook. */

export const EVENT_TYPES = [
  'channel.occupied',
  'channel.vacated',
  'member.joined',
  'member.left',
  'message.published',
  'channel.reset',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/**
 * One event as JSON, an object that begins with `{"type":"<type>","channel":"…"` and has `time` (ms since the Unix
 * epoch). Its `id` is added where it is sent, from its place in the queue.
 */
export type EventJson = string;

/** An event as JSON. @param fields what else it says */
export function eventJson(type: EventType, channel: string, time: number, fields: Readonly<Record<string, unknown>>) {
  return JSON.stringify({ type, channel, time, ...fields });
}

/** The type of an event, without parsing all of it. */
export function typeOf(event: EventJson): string | undefined {
  return /^\{"type":"([a-z.]+)"/.exec(event)?.[1];
}

/** Events of one queue that are sent together, in order. */
export interface Batch {
  /** Names these events; the same for each try. At most one batch of a gateway's life has it. */
  readonly id: string;
  readonly events: readonly QueuedEvent[];
}

export interface QueuedEvent {
  /** Unique among all events; the same each time this one is sent. */
  readonly id: string;
  readonly event: EventJson;
}

/** The body of the request: `{"events":[{"id":"…","type":"…",…},…]}`. */
export function bodyOf({ events }: Batch): string {
  return `{"events":[${events.map(({ id, event }) => `{"id":${JSON.stringify(id)},${event.slice(1)}`).join(',')}]}`;
}
