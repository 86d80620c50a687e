/** The calls that control connections: `POST /v1/disconnect`, `/v1/unsubscribe`, `/v1/refresh`, `/v1/revoke`, `GET /v1/sessions`. */
import { isChannelName } from '@fanfare/protocol';
import type { Backend } from '../auth/api-keys.js';
import type { ControlCalls, Reached, Target } from '../control/calls.js';
import { FanfareError } from '../errors.js';
import type { HttpResponse } from '../transport/transport.js';
import { json } from './fleet.js';
import { readName } from './name.js';
import { readQuery } from './query.js';
import type { ApiCaller, ApiRoutes, Route } from './route.js';

/**
 * How long a revocation holds if the request does not say so, ms. It outlasts tokens of a usual length; for longer ones
 * the request has to say it.
 */
const DEFAULT_TTL_MS = 24 * 3_600_000;
const MAX_TTL_MS = 400 * DEFAULT_TTL_MS;
/** Largest body of a refresh, bytes: new permissions may be as large as a token. */
const MAX_BODY_BYTES = 16 * 1024;

type Fields = Readonly<Record<string, unknown>>;

export function createControlRoutes(control: ControlCalls): ApiRoutes {
  const write = (act: typeof disconnect): Route => ({
    scope: 'admin',
    POST: (body, caller) => act(body, backendOf(caller), control),
  });
  return [
    ['/v1/disconnect', write(disconnect)],
    ['/v1/unsubscribe', write(unsubscribe)],
    ['/v1/refresh', write(refresh)],
    ['/v1/revoke', write(revoke)],
    [
      '/v1/sessions',
      {
        scope: 'admin',
        GET: (request, caller) => listSessions(readQuery(request.query), backendOf(caller), control),
      },
    ],
  ];
}

function backendOf({ identity }: ApiCaller): Backend {
  if (!identity) throw new FanfareError('unauthorized', 'give an API key');
  return identity;
}

/** @throws {FanfareError} */
async function disconnect(body: Uint8Array, backend: Backend, control: ControlCalls): Promise<HttpResponse> {
  permit(backend);
  const fields = readFields(body);
  const { reconnect = false } = fields;
  if (typeof reconnect !== 'boolean') throw invalid('reconnect must be true or false');
  return told(await control.disconnect(targetOf(fields), reconnect));
}

/** @throws {FanfareError} */
async function unsubscribe(body: Uint8Array, backend: Backend, control: ControlCalls): Promise<HttpResponse> {
  const fields = readFields(body);
  const { channel } = fields;
  if (!isChannelName(channel)) throw invalid('channel must be a channel name');
  permit(backend, channel);
  return told(await control.unsubscribe(targetOf(fields), channel));
}

/** @throws {FanfareError} */
async function refresh(body: Uint8Array, backend: Backend, control: ControlCalls): Promise<HttpResponse> {
  permit(backend);
  const fields = readFields(body);
  const { channels, subscribe } = fields;
  if (channels === undefined) throw invalid('channels must be an object of patterns, each with a list of actions');
  return told(await control.refresh(targetOf(fields), { channels, ...(subscribe !== undefined && { subscribe }) }));
}

/** @throws {FanfareError} */
async function revoke(body: Uint8Array, backend: Backend, control: ControlCalls): Promise<HttpResponse> {
  permit(backend);
  const { user, jti, ttlMs = DEFAULT_TTL_MS } = readFields(body);
  if ((user === undefined) === (jti === undefined)) throw invalid('give one of user, jti');
  if (!Number.isInteger(ttlMs) || (ttlMs as number) < 1_000 || (ttlMs as number) > MAX_TTL_MS)
    throw invalid(`ttlMs must be an integer from 1000 to ${MAX_TTL_MS}`);
  const what = user === undefined ? { jti: readName('jti', jti) } : { user: readName('user', user) };
  const { until, ...reached } = await control.revoke(what, ttlMs as number);
  return told(reached, { until });
}

/** @throws {FanfareError} */
async function listSessions(query: URLSearchParams, backend: Backend, control: ControlCalls): Promise<HttpResponse> {
  permit(backend);
  const [user, session] = [query.get('user') ?? undefined, query.get('session') ?? undefined];
  const { sessions, count, missing } = await control.sessions(targetOf({ user, session }));
  return json({ sessions, count, ...(missing.length > 0 && { missing }) });
}

/**
 * Refuses a key that may not do this. A key that is for some channels only cannot act on users as a whole, since these
 * may be on any channel.
 */
function permit(backend: Backend, channel?: string): void {
  if (backend.administers(channel)) return;
  throw new FanfareError('forbidden', `the API key is not for ${channel === undefined ? 'all channels' : channel}`);
}

function told({ connections, missing }: Reached, more: object = {}): HttpResponse {
  return json({ connections, ...more, ...(missing.length > 0 && { missing }) });
}

function readFields(body: Uint8Array): Fields {
  if (body.length > MAX_BODY_BYTES) throw new FanfareError('too_large', `the body is over ${MAX_BODY_BYTES} bytes`);
  let fields: unknown;
  try {
    fields = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw invalid('the body must be JSON in UTF-8');
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw invalid('the body must be an object');
  return fields as Fields;
}

function targetOf({ user, session }: Fields): Target {
  if ((user === undefined) === (session === undefined)) throw invalid('give one of user, session');
  return user === undefined ? { session: readName('session', session) } : { user: readName('user', user) };
}

function invalid(message: string): FanfareError {
  return new FanfareError('bad_request', message);
}
