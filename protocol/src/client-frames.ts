import type { ClientFrame } from './frames.js';
import {
  BOOLEAN,
  CHANNEL,
  COUNT,
  DURABILITY,
  DURATION,
  type FrameShape,
  findProblem,
  HISTORY_LIMIT,
  isRequestId,
  KEY,
  NAME,
  type ParsedFrame,
  POSITION,
  REPLICAS_WANTED,
  REQUEST_ID,
  STRING,
  TAGS,
} from './rules.js';

/** Every frame a client may send, but for the `data` of `publish`, which is told apart from the fields. */
export const CLIENT_FRAMES: Readonly<Record<ClientFrame['type'], FrameShape>> = {
  connect: { required: { id: REQUEST_ID }, optional: { token: STRING, client: STRING } },
  subscribe: {
    required: { id: REQUEST_ID, channel: CHANNEL },
    optional: { since: POSITION, rewind: COUNT, rewindMs: DURATION, token: STRING, presence: BOOLEAN },
    atMostOne: ['since', 'rewind', 'rewindMs'],
  },
  unsubscribe: { required: { id: REQUEST_ID, channel: CHANNEL }, optional: {} },
  publish: {
    required: { id: REQUEST_ID, channel: CHANNEL },
    optional: { key: KEY, tags: TAGS, durability: DURABILITY, replicas: REPLICAS_WANTED, except: NAME },
    onlyWith: { field: 'replicas', needs: 'durability', value: 'replicated' },
  },
  history: {
    required: { id: REQUEST_ID, channel: CHANNEL },
    optional: { after: POSITION, before: POSITION, limit: HISTORY_LIMIT },
    atMostOne: ['after', 'before'],
  },
  presence: {
    required: { id: REQUEST_ID, channel: CHANNEL },
    optional: { cursor: STRING, limit: HISTORY_LIMIT },
  },
  refresh: { required: { id: REQUEST_ID, token: STRING }, optional: { channel: CHANNEL } },
  pong: { required: {}, optional: {} },
};

/**
 * A decoded frame of a client, checked. The frame is `fields` itself: unknown fields stay in it, and
 * the `data` of a `publish` is whatever `fields` holds; `hasData` says whether it came with any.
 */
export function parseClientFrame(fields: Record<string, unknown>, hasData: boolean): ParsedFrame<ClientFrame> {
  const shape = typeof fields.type === 'string' ? ownShape(fields.type) : undefined;
  const problem = shape ? findProblem(fields, shape) : 'unknown type';
  if (problem !== undefined) return refuse(fields, problem);
  if (fields.type === 'publish' && !hasData) return refuse(fields, 'data is missing');
  return { ok: true, frame: fields as unknown as ClientFrame };
}

function ownShape(type: string): FrameShape | undefined {
  return Object.hasOwn(CLIENT_FRAMES, type) ? CLIENT_FRAMES[type as ClientFrame['type']] : undefined;
}

function refuse(fields: Record<string, unknown>, message: string): ParsedFrame<never> {
  return isRequestId(fields.id) ? { ok: false, id: fields.id, message } : { ok: false, message };
}
