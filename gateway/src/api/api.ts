/**
 * The HTTP API: which path is answered by what, who may ask, and how errors look. What each call means is in
 * docs/HTTP-API.md, and for programs in `/v1/openapi.json`.
 */
import { type ApiKey, createBackendFinder, type Scope } from '../auth/api-keys.js';
import type { OriginCheck } from '../auth/origin.js';
import type { Channels } from '../channels/channels.js';
import { FanfareError } from '../errors.js';
import type { Fleet } from '../fleet/fleet.js';
import { count, type Stats } from '../stats.js';
import { parseTraceparent } from '../traceparent.js';
import type { BodyHandler, HttpAnswer, HttpRequest, HttpResponse } from '../transport/transport.js';
import { allowOrigin, preflight } from './cross-origin.js';
import { json, listChannels, listNodes } from './fleet.js';
import { type HealthDependencies, live, metrics, ready } from './health.js';
import { history } from './history.js';
import type { KeyRates } from './key-rates.js';
import { openApiDocument } from './openapi.js';
import { problem, toFailure, toProblem } from './problem.js';
import { publish } from './publish.js';
import { readQuery } from './query.js';
import type { ApiCaller, ApiRoutes, Route } from './route.js';
import { type StaticFiles, serveFile } from './static-files.js';

/** What every answer needs, even while the gateway waits for its broker. */
export interface HttpDependencies extends HealthDependencies {
  readonly apiKeys: readonly ApiKey[];
  readonly isAllowedOrigin: OriginCheck;
  readonly stats: Stats;
  /** Whether health and metrics have a port of their own (see {@link createHealthApi}). Default false. */
  readonly healthElsewhere?: boolean;
  /** Called with faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}

export interface ApiDependencies extends HttpDependencies {
  readonly channels: Channels;
  readonly fleet: Fleet;
  /** How fast each API key may publish. Default: no key is limited. */
  readonly keyRates?: KeyRates;
  readonly version: string;
  /** The routes of the gateway's other parts. */
  readonly routes: ApiRoutes;
  /** The demo page. Absent: `/` is answered with `not_found`. */
  readonly files?: StaticFiles | undefined;
  /** Whether a path is for WebSockets. Requests to such a path that are no WebSocket are told so. */
  readonly isWebSocketPath: (path: string) => boolean;
}

/**
 * Answers one request, or asks for its body. It asks only if path, method, key and content type are right. Never
 * throws, never rejects.
 */
export type HttpHandler = (request: HttpRequest) => HttpAnswer | BodyHandler;

const NOBODY: ApiCaller = { entrance: 'http', identity: undefined };

/** The headers that a 426 has to have (RFC 9110 section 15.5.22). */
const UPGRADE_HEADERS = [
  ['upgrade', 'websocket'],
  ['connection', 'Upgrade'],
] as const;

/** Answers plain requests to a path for WebSockets. No key is needed to learn that. */
const WEBSOCKET_ROUTE: Route = {
  scope: 'open',
  GET: () => problem('upgrade_required', 'connect with a WebSocket', UPGRADE_HEADERS),
};

type FindRoute = (path: string) => Route | undefined;

export function createApi(dependencies: ApiDependencies): HttpHandler {
  const { channels, fleet, keyRates, version, files, healthElsewhere, isWebSocketPath } = dependencies;
  const document = json(openApiDocument(version));
  const routes = new Map<string, Route>([
    ['/v1/publish', { scope: 'publish', POST: (body, caller) => publish(body, caller, channels.publishing, keyRates) }],
    ['/v1/history', { scope: 'read', GET: (request, caller) => history(readQuery(request.query), caller, channels) }],
    [
      '/v1/channels',
      { scope: 'read', GET: (request, caller) => listChannels(readQuery(request.query), caller, fleet) },
    ],
    ['/v1/nodes', { scope: 'read', GET: () => listNodes(fleet) }],
    ['/v1/openapi.json', { scope: 'open', GET: () => document }],
    ...dependencies.routes,
    ...(healthElsewhere ? [] : healthRoutes(dependencies)),
  ]);
  for (const [path, file] of files ?? [])
    routes.set(path, { scope: 'open', GET: (request) => serveFile(file, request) });
  const find: FindRoute = (path) => routes.get(path) ?? (isWebSocketPath(path) ? WEBSOCKET_ROUTE : undefined);
  return createHandler(find, dependencies);
}

/** Makes a handler for health and metrics alone, for a port that the public cannot reach. */
export function createHealthApi(dependencies: HttpDependencies): HttpHandler {
  const routes = new Map(healthRoutes(dependencies));
  return createHandler((path) => routes.get(path), dependencies);
}

/**
 * Makes the handler for the time in which the gateway waits for its broker. It answers health and metrics, and tells
 * all other requests to come back later.
 */
export function createWaitingApi(dependencies: HttpDependencies): HttpHandler {
  const routes = new Map(dependencies.healthElsewhere ? [] : healthRoutes(dependencies));
  const find: FindRoute = (path) => {
    const route = routes.get(path);
    if (route) return route;
    throw new FanfareError('unavailable', 'the gateway waits for its broker');
  };
  return createHandler(find, dependencies);
}

function healthRoutes(dependencies: HealthDependencies): [string, Route][] {
  return [
    ['/health/live', { scope: 'open', GET: live }],
    ['/health/ready', { scope: 'open', GET: () => ready(dependencies) }],
    ['/metrics', { scope: 'open', GET: () => metrics(dependencies) }],
  ];
}

function createHandler(find: FindRoute, { apiKeys, isAllowedOrigin, stats, onFault }: HttpDependencies): HttpHandler {
  const findBackend = createBackendFinder(apiKeys);
  const authenticate = (request: HttpRequest, scope: Scope): ApiCaller => {
    const backend = findBackend(request.header('authorization'));
    if (!backend) throw new FanfareError('unauthorized', 'give an API key as Authorization: Bearer <key>');
    if (!backend.scopes.includes(scope)) throw new FanfareError('forbidden', `the API key is not for "${scope}"`);
    return { entrance: 'http', identity: backend, traceparent: parseTraceparent(request.header('traceparent'))?.text };
  };

  const answer: HttpHandler = (request) => {
    const route = find(request.path);
    if (!route) return problem('not_found', `nothing is at ${request.path}`);
    const { method } = request;
    if (method === 'OPTIONS') return preflight(request, methodsOf(route));
    const read = method === 'GET' ? route.GET : undefined;
    const write = method === 'POST' ? route.POST : undefined;
    if (!read && !write) {
      return problem('method_not_allowed', `use ${methodsOf(route)}`, [['allow', methodsOf(route)]]);
    }
    const caller = route.scope === 'open' ? NOBODY : authenticate(request, route.scope);
    if (!write) return (read as NonNullable<Route['GET']>)(request, caller);
    if (!isJson(request.header('content-type'))) return problem('unsupported_media_type', 'send application/json');
    const encoding = request.header('content-encoding');
    if (encoding !== '' && encoding !== 'identity') {
      return problem('unsupported_media_type', 'send the body without Content-Encoding');
    }
    return (body) => {
      if (body === 'too_large') throw new FanfareError('too_large', 'the request body is too large');
      if (body === 'no_room') throw new FanfareError('unavailable', 'too many request bodies are being read');
      return write(withoutByteOrderMark(body), caller);
    };
  };
  const fail = (error: unknown): HttpResponse => {
    const failure = toFailure(error);
    if (failure.code === 'internal') onFault('request failed', error);
    return toProblem(failure);
  };
  const finish = (origin: string, response: HttpResponse): HttpResponse => {
    count(stats.httpResponses, response.status);
    return allowOrigin(withLastLineEnded(response), origin, isAllowedOrigin);
  };
  const attempt = <Result>(act: () => Result): Result | HttpResponse => {
    try {
      return act();
    } catch (error) {
      return fail(error);
    }
  };
  const settle = (origin: string, given: HttpAnswer): HttpAnswer => {
    if (!(given instanceof Promise)) return finish(origin, given);
    return given.then(
      (later) => finish(origin, later),
      (error) => finish(origin, fail(error)),
    );
  };

  return (request) => {
    const origin = request.header('origin');
    const given = attempt(() => answer(request));
    if (typeof given !== 'function') return settle(origin, given);
    return (body) =>
      settle(
        origin,
        attempt(() => given(body)),
      );
  };
}

function methodsOf(route: Route): string {
  return [route.GET && 'GET, HEAD', route.POST && 'POST', 'OPTIONS'].filter(Boolean).join(', ');
}

/**
 * The body without a byte order mark, which some editors and shells put in front (RFC 8259 section 8.1 lets parsers
 * ignore it).
 */
function withoutByteOrderMark(body: Uint8Array): Uint8Array {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
}

/** The response with a line break at its end, so that a terminal goes on in a new line. */
function withLastLineEnded(response: HttpResponse): HttpResponse {
  const { body } = response;
  if (typeof body !== 'string' || body === '' || body.endsWith('\n')) return response;
  return { ...response, body: `${body}\n` };
}

/** Content types that are taken for JSON, including those that `curl -d` and simple clients send. */
const JSON_TYPES = /^($|application\/(json|x-www-form-urlencoded|[\w.-]+\+json)|text\/plain)\s*($|;)/i;

function isJson(contentType: string): boolean {
  return contentType === 'application/json' || JSON_TYPES.test(contentType);
}
