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

/** Makes the JSON of an event. @param fields further fields of the event */
export function eventJson(type: EventType, channel: string, time: number, fields: Readonly<Record<string, unknown>>) {
  return JSON.stringify({ type, channel, time, ...fields });
}

/** The type of an event, read without parsing all of it. */
export function typeOf(event: EventJson): string | undefined {
  return /^\{"type":"([a-z.]+)"/.exec(event)?.[1];
}

/** Events of one queue that are sent together, in order. */
export interface Batch {
  /** Id of the batch, which is the same for each try. No other batch in the life of a gateway has the same id. */
  readonly id: string;
  readonly events: readonly QueuedEvent[];
}

export interface QueuedEvent {
  /** Id of the event, unique among all events, and the same each time the event is sent. */
  readonly id: string;
  readonly event: EventJson;
}

/** The body of the request with a batch: `{"events":[{"id":"…","type":"…",…},…]}`. */
export function bodyOf({ events }: Batch): string {
  return `{"events":[${events.map(({ id, event }) => `{"id":${JSON.stringify(id)},${event.slice(1)}`).join(',')}]}`;
}
