/** The schemas of the OpenAPI document; a test holds real answers against them. */
import { ERROR_CODES, RESET_REASONS } from '@fanfare/protocol';
import { MAX_HISTORY_LIMIT, MAX_KEY_BYTES, MAX_TAGS, MAX_TAGS_BYTES } from '@fanfare/protocol/validate';
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
};
const channel = { type: 'string', minLength: 1, maxLength: 255 };
const missing = { ...list(text()), description: 'Gateways that did not answer in time; absent if all did.' };

export const SCHEMAS = {
  PublishOne: object(['channel', 'data'], { channel, ...message }),
  PublishToMany: object(['channels', 'data'], { channels: list(channel, MAX_BATCH), ...message }),
  PublishBatch: object(['messages'], { messages: list(ref('PublishOne'), MAX_BATCH) }),
  Published: {
    ...object(['channel'], {
      channel,
      epoch: text('Durable channels only.'),
      offset: count('Durable channels only.'),
      duplicate: flag('The key was seen: this is the position of the first, nothing new was delivered.'),
      durability: { enum: ['stored', 'replicated'], description: 'What was reached, if replicated was asked for.' },
      replicas: count('Replicas that have it, if replicated was asked for.'),
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
      user: text('Who published it; absent if a backend did.'),
      key: text(),
      tags,
    }),
    additionalProperties: false,
  },
  History: object(['messages', 'more'], {
    messages: { ...list(ref('Message'), MAX_HISTORY_LIMIT), description: 'Oldest first.' },
    more: flag('The log goes on: newer ones with `after`, older ones otherwise.'),
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
