/** The schemas of the OpenAPI document. A test compares real answers with them. */
import { ERROR_CODES, MAX_CHANNEL_BYTES, RESET_REASONS } from '@fanfare/protocol';
import { MAX_HISTORY_LIMIT, MAX_KEY_BYTES, MAX_NAME_BYTES, MAX_TAGS, MAX_TAGS_BYTES } from '@fanfare/protocol/validate';
import { LOG_STATES, MAX_FATES, VERDICTS } from '../why/calls.js';
import { HTTP_CODES } from './problem.js';
import { MAX_BATCH } from './publish-request.js';

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const text = (description?: string) => ({ type: 'string', ...(description && { description }) });
const count = (description?: string) => ({ type: 'integer', minimum: 0, ...(description && { description }) });
const flag = (description: string) => ({ type: 'boolean', description });
const list = (items: object, maxItems?: number) => ({ type: 'array', items, ...(maxItems && { maxItems }) });
const object = (required: readonly string[], properties: Readonly<Record<string, object>>) => ({
  type: 'object',
  required,
  properties,
});

const tags = {
  type: 'object',
  additionalProperties: text(),
  maxProperties: MAX_TAGS,
  description: `Labels that travel with the message: names and texts of at most ${MAX_TAGS_BYTES} bytes of UTF-8 together.`,
};
const time = { type: 'integer', description: 'When it was stored, ms since the Unix epoch.' };
export const name = { type: 'string', minLength: 1, maxLength: MAX_NAME_BYTES };
const moment = (description = 'ms since the Unix epoch.') => ({ type: 'integer', description });
const message = {
  data: { description: 'Any JSON value; an object whose only key is $binary is binary in base64.' },
  key: {
    type: 'string',
    minLength: 1,
    maxLength: MAX_KEY_BYTES,
    description: 'Idempotency key: repeated within the window, it answers with the first position.',
  },
  tags,
  durability: { enum: ['stored', 'replicated'], description: 'What to wait for. Default: stored.' },
  replicas: {
    oneOf: [{ type: 'integer', minimum: 1 }, { const: 'all' }],
    description: 'How many replicas, only with durability replicated. Default: all that are in sync, one at least.',
  },
  user: { ...name, description: 'Whose message it is, as subscribers are told.' },
  except: { ...name, description: 'The session that does not get it, as connected and /v1/sessions name it.' },
};
/** The name of a channel, as `isChannelName` checks it, except for its size, which is counted in bytes of UTF-8. */
export const channel = {
  type: 'string',
  minLength: 1,
  maxLength: MAX_CHANNEL_BYTES,
  pattern: '^[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff]+$',
  description: `1 to ${MAX_CHANNEL_BYTES} bytes of UTF-8 without white space and control characters.`,
};
/** Rules for fields that depend on another field. */
const dependent = {
  dependentSchemas: { replicas: { required: ['durability'], properties: { durability: { const: 'replicated' } } } },
};
const missing = { ...list(text()), description: 'Gateways that did not answer in time; absent if all did.' };

const Target = {
  type: 'object',
  oneOf: [{ required: ['user'] }, { required: ['session'] }],
  properties: { user: name, session: name },
};

/**
 * A schema that also allows any other value: the request is taken, and that value is answered with an error of its own.
 */
const either = (schema: object) => ({
  anyOf: [schema, { description: 'Anything else: this item is answered with an error.' }],
});

export const SCHEMAS = {
  PublishOne: { ...object(['channel', 'data'], { channel, ...message }), ...dependent },
  PublishToMany: {
    ...object(['channels', 'data'], { channels: list(either(channel), MAX_BATCH), ...message }),
    ...dependent,
  },
  PublishBatch: object(['messages'], { messages: list(either(ref('PublishOne')), MAX_BATCH) }),
  Published: {
    ...object(['channel'], {
      channel,
      epoch: text('Durable channels only.'),
      offset: count('Durable channels only.'),
      duplicate: flag('The key was seen: this is the position of the first, nothing new was delivered.'),
      durability: {
        enum: ['stored', 'replicated'],
        description:
          'What was reached: stored, if fewer replicas have it than were asked for. It is in the log in any case.',
      },
      replicas: count('Replicas that have it, if replicated was asked for.'),
      of: count('Replicas in sync, or were so within the last 10 s, if replicated was asked for.'),
    }),
    additionalProperties: false,
  },
  FailedItem: {
    ...object(['error'], {
      error: object(['code', 'message', 'retryable'], {
        code: { enum: Object.keys(ERROR_CODES) },
        message: text(),
        retryable: flag('Whether the same item may succeed later.'),
        retryAfter: count('ms'),
      }),
    }),
    additionalProperties: false,
  },
  Results: object(['results'], {
    results: {
      ...list({ anyOf: [ref('Published'), ref('FailedItem')] }, MAX_BATCH),
      description: 'In the order of the items, each on its own.',
    },
  }),
  Message: {
    ...object(['epoch', 'offset', 'data', 'time'], {
      epoch: text(),
      offset: count(),
      data: message.data,
      time,
      user: text('Whose it is; absent: nobody’s.'),
      key: text(),
      tags,
    }),
    additionalProperties: false,
  },
  History: object(['messages', 'more', 'head'], {
    messages: { ...list(ref('Message'), MAX_HISTORY_LIMIT), description: 'Oldest first.' },
    more: flag('The log goes on: newer ones with `after`, older ones otherwise.'),
    head: {
      ...object(['epoch', 'offset'], { epoch: text(), offset: count() }),
      description: 'Where the log ended when it was read; offset 0 if nothing was ever published.',
    },
  }),
  Channels: object(['channels'], {
    channels: list(object(['channel', 'subscribers'], { channel, subscribers: count() })),
    cursor: text('Given if there are more: ask again with it.'),
    missing,
  }),
  Members: object(['members', 'count', 'rev'], {
    members: list(object(['session', 'sessions'], { session: text(), user: text(), info: {}, sessions: count() })),
    count: count(),
    rev: count(),
    cursor: text(),
  }),
  Nodes: object(['nodes'], {
    nodes: list(
      object(['node', 'version', 'connections', 'uptimeMs'], {
        node: text(),
        version: text(),
        connections: count(),
        uptimeMs: count(),
      }),
    ),
    missing,
  }),
  Reached: object(['connections'], {
    connections: count('On which it was done.'),
    missing,
  }),
  Revoked: object(['connections', 'until'], {
    connections: count('That were closed, or taken off a channel.'),
    until: { type: 'integer', description: 'When it ends, ms since the Unix epoch.' },
    missing,
  }),
  Target,
  Disconnect: {
    allOf: [ref('Target'), object([], { reconnect: flag('Whether they shall come back. Default: false.') })],
  },
  Unsubscribe: { allOf: [ref('Target'), object(['channel'], { channel })] },
  Refresh: {
    allOf: [
      ref('Target'),
      object(['channels'], {
        channels: {
          type: 'object',
          additionalProperties: list(text()),
          description: 'Actions by pattern, as in the claims of a token.',
        },
        subscribe: { ...list(channel, 100), description: 'Channels that they are put on.' },
      }),
    ],
  },
  Revoke: {
    type: 'object',
    oneOf: [{ required: ['user'] }, { required: ['jti'] }],
    properties: {
      user: { ...name, description: 'All tokens of this user made until now.' },
      jti: { ...name, description: 'The token with this id.' },
      ttlMs: { type: 'integer', minimum: 1000, maximum: 400 * 86_400_000, default: 86_400_000 },
    },
  },
  Sessions: object(['sessions', 'count'], {
    sessions: list(ref('Session')),
    count: count('How many there are; at most 100 of each gateway are listed.'),
    missing,
  }),
  Why: object(['channel', 'offset', 'log', 'gateways', 'missing'], {
    channel: name,
    offset: count(),
    log: object(['state'], {
      state: { enum: LOG_STATES },
      epoch: text(),
      time,
      user: text(),
      key: text(),
      except: text('The session that does not get it.'),
      detail: text('Why it is not known.'),
    }),
    gateways: list(ref('WhyGateway')),
    missing,
  }),
  WhyGateway: object(['node', 'dropped', 'droppedCount', 'replayed', 'replayedCount'], {
    node: text(),
    since: moment('Before that everything is forgotten; absent: nothing is.'),
    channel: object(['pending', 'subscribers'], { offset: count(), pending: count(), subscribers: count() }),
    published: object(['at', 'by'], { at: moment('When its publisher was answered there.'), by: text() }),
    received: object(['by', 'at'], { by: { enum: ['push', 'log'] }, at: moment() }),
    flushed: object(['at', 'subscribers'], { at: moment(), subscribers: count() }),
    reset: object(['at', 'reason'], { at: moment(), reason: text() }),
    dropped: list(ref('WhyFate'), MAX_FATES),
    droppedCount: count(),
    replayed: list(ref('WhyFate'), MAX_FATES),
    replayedCount: count(),
    session: object(['verdict', 'events'], {
      verdict: { enum: VERDICTS },
      at: moment(),
      events: list(
        object(['at', 'what', 'from', 'to'], { at: moment(), what: text(), from: count(), to: count() }),
        MAX_FATES,
      ),
    }),
  }),
  WhyFate: object(['session', 'at'], { session: text(), at: moment() }),
  Session: {
    ...object(
      [
        'session',
        'node',
        'address',
        'via',
        'dialect',
        'connectedAt',
        'idleMs',
        'unsentBytes',
        'channelCount',
        'channels',
      ],
      {
        session: text(),
        node: text(),
        user: text('Absent: anonymous.'),
        address: text(),
        via: text(),
        dialect: text(),
        connectedAt: { type: 'integer', description: 'ms since the Unix epoch.' },
        idleMs: count('Since the last sign of life.'),
        expires: { type: 'integer', description: 'When its token ends, ms since the Unix epoch; absent: never.' },
        unsentBytes: count('What waits in the gateway for the client to read.'),
        laggingMs: count('For how long it is off its channels as too slow; absent: it is not.'),
        channelCount: count(),
        channels: {
          ...list(
            object(['channel', 'state'], {
              channel,
              state: { enum: ['live', 'joining'] },
              epoch: text('Durable channels only.'),
              offset: count('Where it was sent up to.'),
              behind: count('Messages of the log that it was not sent yet.'),
            }),
          ),
          description: 'At most 100.',
        },
      },
    ),
    additionalProperties: false,
  },
  Live: object(['status'], { status: { const: 'ok' } }),
  Ready: object(['status', 'shards'], {
    status: { enum: ['ok', 'lost', 'starting', 'stopping'] },
    shards: list(object(['shard', 'state'], { shard: text(), state: { enum: ['ok', 'lost'] }, detail: text() })),
  }),
  Problem: {
    ...object(['type', 'title', 'status', 'code', 'detail', 'retryable'], {
      type: { const: 'about:blank' },
      title: text(),
      status: { type: 'integer', minimum: 400, maximum: 599 },
      code: { enum: [...Object.keys(ERROR_CODES), ...Object.keys(RESET_REASONS), ...Object.keys(HTTP_CODES)] },
      detail: text('For people; may change.'),
      retryable: flag('Whether the same request may succeed later.'),
      retryAfter: count('ms; `Retry-After` says it in seconds.'),
    }),
    description: 'RFC 9457; `code` is stable.',
  },
} as const;

export type SchemaName = keyof typeof SCHEMAS;
