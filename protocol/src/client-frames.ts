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

interface ClientFrameShape extends FrameShape {
  /** Optional fields of which at most one may be there. */
  readonly atMostOne?: readonly string[];
  /** A field that is allowed only if another field has this value. */
  readonly onlyWith?: { readonly field: string; readonly needs: string; readonly value: string };
}

/** Every frame that a client may send. The `data` of `publish` is not among the fields, but treated on its own. */
export const CLIENT_FRAMES: Readonly<Record<ClientFrame['type'], ClientFrameShape>> = {
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
 * Checks a decoded frame of a client. The frame in the result is `fields` itself: unknown fields stay in it, and the
 * `data` of a `publish` is whatever `fields` holds. `hasData` says whether the frame came with `data`.
 */
export function parseClientFrame(fields: Record<string, unknown>, hasData: boolean): ParsedFrame<ClientFrame> {
  const shape = typeof fields.type === 'string' ? ownShape(fields.type) : undefined;
  const problem = shape ? (findProblem(fields, shape) ?? findConflict(fields, shape)) : 'unknown type';
  if (problem !== undefined) return refuse(fields, problem);
  if (fields.type === 'publish' && !hasData) return refuse(fields, 'data is missing');
  return { ok: true, frame: fields as unknown as ClientFrame };
}

/** What is wrong with the combination of fields, each of which is right by itself. */
function findConflict(fields: Record<string, unknown>, { atMostOne, onlyWith }: ClientFrameShape): string | undefined {
  const starts = atMostOne?.filter((name) => fields[name] !== undefined);
  if (starts && starts.length > 1) return `at most one of ${atMostOne?.join(', ')}`;
  if (onlyWith === undefined) return undefined;
  const { field, needs, value } = onlyWith;
  return fields[field] === undefined || fields[needs] === value ? undefined : `${field} needs ${needs} ${value}`;
}

function ownShape(type: string): ClientFrameShape | undefined {
  return Object.hasOwn(CLIENT_FRAMES, type) ? CLIENT_FRAMES[type as ClientFrame['type']] : undefined;
}

function refuse(fields: Record<string, unknown>, message: string): ParsedFrame<never> {
  return isRequestId(fields.id) ? { ok: false, id: fields.id, message } : { ok: false, message };
}
