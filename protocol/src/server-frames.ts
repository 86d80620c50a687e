import { isChannelName } from './channel-name.js';
import type { ServerFrame } from './frames.js';
import {
  BOOLEAN,
  CHANNEL,
  COUNT,
  DURABILITY,
  DURATION,
  EPOCH,
  type FrameShape,
  findProblem,
  KEY,
  type ParsedFrame,
  POSITION,
  REQUEST_ID,
  type Rule,
  STRING,
  TAGS,
} from './rules.js';

const DATA: Rule = { is: 'there', check: (value) => value !== undefined };
const CHANNELS: Rule = {
  is: 'a list of channel names',
  check: (value) => Array.isArray(value) && value.every(isChannelName),
};

/** One item of a `history` reply. */
export const HISTORY_ITEM: FrameShape = {
  required: { epoch: EPOCH, offset: COUNT, data: DATA, time: DURATION },
  optional: { user: STRING, key: KEY, tags: TAGS },
};

const HISTORY_ITEMS: Rule = {
  is: 'a list of messages',
  check: (value) => Array.isArray(value) && value.every(isHistoryItem),
};

/** One member of a channel. */
const PRESENCE_MEMBER: FrameShape = {
  required: { session: STRING, sessions: COUNT },
  optional: { user: STRING },
};

const MEMBER: Rule = { is: 'a member', check: isPresenceMember };
const MEMBERS: Rule = {
  is: 'a list of members',
  check: (value) => Array.isArray(value) && value.every(isPresenceMember),
};

/**
 * Every frame that a gateway may send. Codes and reasons may be any string here, so that a client can live with those
 * of a later gateway.
 */
export const SERVER_FRAMES: Readonly<Record<ServerFrame['type'], FrameShape>> = {
  connected: {
    required: {
      id: REQUEST_ID,
      session: STRING,
      node: STRING,
      ping: DURATION,
      maxFrame: COUNT,
      idempotencyMs: DURATION,
    },
    optional: { user: STRING, expires: DURATION, expiresIn: DURATION },
  },
  subscribed: {
    required: { channel: CHANNEL, durable: BOOLEAN },
    optional: {
      id: REQUEST_ID,
      epoch: EPOCH,
      offset: COUNT,
      recovered: BOOLEAN,
      reason: STRING,
      expires: DURATION,
      expiresIn: DURATION,
    },
  },
  unsubscribed: { required: { channel: CHANNEL }, optional: { id: REQUEST_ID, code: STRING, message: STRING } },
  published: {
    required: { id: REQUEST_ID, channel: CHANNEL },
    optional: {
      epoch: EPOCH,
      offset: COUNT,
      duplicate: BOOLEAN,
      durability: DURABILITY,
      replicas: COUNT,
      of: COUNT,
    },
  },
  history: {
    required: { id: REQUEST_ID, channel: CHANNEL, messages: HISTORY_ITEMS, more: BOOLEAN, head: POSITION },
    optional: {},
  },
  presence: {
    required: { id: REQUEST_ID, channel: CHANNEL, members: MEMBERS, count: COUNT, rev: COUNT },
    optional: { cursor: STRING },
  },
  refreshed: { required: { id: REQUEST_ID }, optional: { channel: CHANNEL, expires: DURATION, expiresIn: DURATION } },
  message: {
    required: { channel: CHANNEL, data: DATA, time: DURATION },
    optional: { offset: COUNT, prev: COUNT, user: STRING, key: KEY, tags: TAGS },
  },
  position: { required: { channel: CHANNEL, offset: COUNT }, optional: { prev: COUNT } },
  epoch: { required: { channel: CHANNEL, epoch: EPOCH, offset: COUNT }, optional: { prev: COUNT } },
  reset: { required: { channel: CHANNEL, reason: STRING, epoch: EPOCH, offset: COUNT }, optional: {} },
  lagged: { required: { channels: CHANNELS }, optional: {} },
  join: { required: { channel: CHANNEL, member: MEMBER, rev: COUNT }, optional: {} },
  leave: { required: { channel: CHANNEL, member: MEMBER, rev: COUNT }, optional: {} },
  ping: { required: {}, optional: {} },
  error: {
    required: { code: STRING, message: STRING, retryable: BOOLEAN },
    optional: { id: REQUEST_ID, retryAfter: DURATION },
  },
};

/** Checks a decoded frame of a gateway. `undefined` if its type is unknown; such a frame is to be ignored. */
export function parseServerFrame(fields: Record<string, unknown>): ParsedFrame<ServerFrame> | undefined {
  const { type } = fields;
  if (typeof type !== 'string') return { ok: false, message: 'type must be a string' };
  if (!Object.hasOwn(SERVER_FRAMES, type)) return undefined;
  const problem = findProblem(fields, SERVER_FRAMES[type as ServerFrame['type']]);
  if (problem !== undefined) return { ok: false, message: `${type}: ${problem}` };
  return { ok: true, frame: fields as unknown as ServerFrame };
}

function isHistoryItem(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !findProblem(value as Record<string, unknown>, HISTORY_ITEM);
}

function isPresenceMember(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !findProblem(value as Record<string, unknown>, PRESENCE_MEMBER);
}
