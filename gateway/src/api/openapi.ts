/** `GET /v1/openapi.json`: the description of the API for programs. */
import { MAX_HISTORY_LIMIT } from '@fanfare/protocol/validate';
import { channel, name, SCHEMAS, type SchemaName } from './openapi-schemas.js';

const ref = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` });
const jsonOf = (name: SchemaName, type = 'application/json') => ({ [type]: { schema: ref(name) } });
const ok = (name: SchemaName, description: string) => ({ description, content: jsonOf(name) });

const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'unauthorized: no or a wrong API key',
  403: 'forbidden: the API key is not for this',
  404: 'unknown_channel: the namespace is not configured',
  405: 'method_not_allowed: the path takes another method, see `Allow`',
  409: 'expired, unrecoverable or diverged: the position cannot be used',
  413: 'too_large: the message, or the body',
  415: 'unsupported_media_type: the body must be JSON',
  429: 'rate_limited or limit_exceeded',
  500: 'internal: a fault of the gateway',
  503: 'unavailable: not done, try again after `Retry-After`; outcome_unknown: may have been done',
};

function problems(...statuses: readonly number[]) {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: PROBLEMS[status],
        content: jsonOf('Problem', 'application/problem+json'),
        ...((status === 429 || status === 503) && {
          headers: { 'Retry-After': { schema: { type: 'integer' }, description: 's; if the request is retryable' } },
        }),
      },
    ]),
  );
}

const parameter = (name: string, description: string, schema: object = { type: 'string' }, required = false) => ({
  name,
  in: 'query',
  description,
  required,
  schema,
});

/** A position, as `parsePosition` reads it. */
const position = { type: 'string', pattern: '^[^-\\s]{1,64}-[0-9]{1,15}$' };
/** Cursors in Base64url: of the name of a channel, and of the key of a member, which begins with `s:` or `u:`. */
const CHANNEL_CURSOR = { type: 'string', pattern: '^[A-Za-z0-9_-]+$' };
const MEMBER_CURSOR = { type: 'string', pattern: '^(cz|dT)[o-r][A-Za-z0-9_-]*$' };

const open = { security: [] };

export function openApiDocument(version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Fanfare HTTP API',
      version,
      description: 'For backends: publish, read the history, see what is alive. docs/HTTP-API.md says it in prose.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    security: [{ apiKey: [] }],
    paths: {
      '/v1/publish': {
        post: {
          operationId: 'publish',
          summary: 'Publish one message, one to many channels, or a batch',
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: { anyOf: [ref('PublishOne'), ref('PublishToMany'), ref('PublishBatch')] },
              },
            },
          },
          responses: {
            200: {
              description: 'In the log (durable) or pushed (live). Several: each item has its position or its error.',
              content: { 'application/json': { schema: { anyOf: [ref('Results'), ref('Published')] } } },
            },
            ...problems(400, 401, 404, 405, 413, 415, 429, 500, 503),
          },
        },
      },
      '/v1/history': {
        get: {
          operationId: 'history',
          summary: 'Read the log of a durable channel; without a position, its newest messages',
          parameters: [
            parameter('channel', 'Name of the channel.', channel, true),
            parameter('after', 'Messages after this position, <epoch>-<offset>.', position),
            parameter('before', 'Messages right before this position; not with after.', position),
            parameter('limit', 'Most messages; fewer may come though there are more.', {
              type: 'integer',
              minimum: 1,
              maximum: MAX_HISTORY_LIMIT,
              default: 100,
            }),
          ],
          responses: { 200: ok('History', 'A page, oldest first.'), ...problems(400, 401, 404, 405, 409, 500, 503) },
        },
      },
      '/v1/presence': {
        get: {
          operationId: 'presence',
          summary: 'Who is on a channel, over all gateways',
          parameters: [
            parameter('channel', 'Name of the channel.', channel, true),
            parameter('cursor', 'The cursor of the answer before.', MEMBER_CURSOR),
            parameter('limit', 'Most members.', {
              type: 'integer',
              minimum: 1,
              maximum: MAX_HISTORY_LIMIT,
              default: 1000,
            }),
          ],
          responses: { 200: ok('Members', 'A page.'), ...problems(400, 401, 404, 405, 500, 503) },
        },
      },
      '/v1/channels': {
        get: {
          operationId: 'channels',
          summary: 'Channels with subscribers, by name',
          parameters: [
            parameter('prefix', 'Names that start with this.'),
            parameter('cursor', 'The cursor of the answer before.', CHANNEL_CURSOR),
          ],
          responses: { 200: ok('Channels', 'A page.'), ...problems(400, 401, 405, 500) },
        },
      },
      '/v1/nodes': {
        get: {
          operationId: 'nodes',
          summary: 'The gateways',
          responses: { 200: ok('Nodes', 'All of them.'), ...problems(401, 405, 500) },
        },
      },
      '/v1/disconnect': {
        post: {
          operationId: 'disconnect',
          summary: 'Close the connections of a user, or one',
          requestBody: { required: true, content: jsonOf('Disconnect') },
          responses: { 200: ok('Reached', 'Done.'), ...problems(400, 401, 403, 405, 413, 415, 429, 500, 503) },
        },
      },
      '/v1/unsubscribe': {
        post: {
          operationId: 'unsubscribe',
          summary: 'Take the connections of a user, or one, off a channel',
          requestBody: { required: true, content: jsonOf('Unsubscribe') },
          responses: { 200: ok('Reached', 'Done.'), ...problems(400, 401, 403, 405, 413, 415, 429, 500, 503) },
        },
      },
      '/v1/refresh': {
        post: {
          operationId: 'refresh',
          summary: 'Replace what the connections of a user, or one, may do',
          requestBody: { required: true, content: jsonOf('Refresh') },
          responses: { 200: ok('Reached', 'Done.'), ...problems(400, 401, 403, 405, 413, 415, 429, 500, 503) },
        },
      },
      '/v1/revoke': {
        post: {
          operationId: 'revoke',
          summary: 'Shut out the tokens of a user, or one token',
          requestBody: { required: true, content: jsonOf('Revoke') },
          responses: {
            200: ok('Revoked', 'They are refused, and their connections closed.'),
            ...problems(400, 401, 403, 405, 413, 415, 429, 500, 503),
          },
        },
      },
      '/v1/sessions': {
        get: {
          operationId: 'sessions',
          summary: 'The connections of a user, or one, over all gateways',
          parameters: [
            parameter('user', 'Those of this user; either this or session.', name),
            parameter('session', 'The one with this id.', name),
          ],
          responses: { 200: ok('Sessions', 'The oldest first.'), ...problems(400, 401, 403, 405, 500, 503) },
        },
      },
      '/v1/why': {
        get: {
          operationId: 'why',
          summary: 'What became of a message, over all gateways',
          parameters: [
            parameter('channel', 'Name of a durable channel.', channel, true),
            parameter(
              'offset',
              'Of the message.',
              { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
              true,
            ),
            parameter('epoch', 'Of the message; without it, that which the log has there.', {
              type: 'integer',
              minimum: 1,
              maximum: Number.MAX_SAFE_INTEGER,
            }),
            parameter('session', 'What became of it for this one.', name),
          ],
          responses: { 200: ok('Why', 'What is remembered.'), ...problems(400, 401, 403, 404, 405, 500, 503) },
        },
      },
      '/v1/openapi.json': {
        get: {
          ...open,
          operationId: 'openapi',
          summary: 'This document',
          responses: {
            200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: {} } } },
            ...problems(405),
          },
        },
      },
      '/health/live': {
        get: {
          ...open,
          operationId: 'live',
          summary: 'The process answers',
          responses: { 200: ok('Live', 'It does.'), ...problems(405) },
        },
      },
      '/health/ready': {
        get: {
          ...open,
          operationId: 'ready',
          summary: 'Whether every part of the broker can serve',
          responses: {
            200: ok('Ready', 'All can.'),
            503: ok('Ready', 'A part is lost, or the gateway stops.'),
            ...problems(405),
          },
        },
      },
      '/metrics': {
        get: {
          ...open,
          operationId: 'metrics',
          summary: 'Prometheus metrics',
          responses: {
            200: { description: 'Text exposition', content: { 'text/plain': { schema: { type: 'string' } } } },
            ...problems(405, 500),
          },
        },
      },
    },
    components: {
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'One of FANFARE_API_KEYS.' } },
      schemas: SCHEMAS,
    },
  };
}
