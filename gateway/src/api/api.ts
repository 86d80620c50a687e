/**
 * The HTTP API: which path is answered by what, who may ask, and how errors look. docs/HTTP-API.md
 * says what each call means; `/v1/openapi.json` says it to programs.
 */
import type { OriginCheck } from '../auth/origin.js';
import type { Broker } from '../broker/broker.js';
import { FanfareError } from '../errors.js';
import type { Fleet } from '../fleet/fleet.js';
import type { Namespaces } from '../namespaces.js';
import { count, type Stats } from '../stats.js';
import type { HttpRequest, HttpResponse } from '../transport/transport.js';
import { createKeyCheck } from './api-key.js';
import { allowOrigin, preflight } from './cross-origin.js';
import { channels, json, nodes } from './fleet.js';
import { type HealthDependencies, live, metrics, ready } from './health.js';
import { history } from './history.js';
import { openApiDocument } from './openapi.js';
import { problem, toFailure, toProblem } from './problem.js';
import { publish } from './publish.js';
import { readQuery } from './query.js';
import { type StaticFiles, serveFile } from './static-files.js';

export interface ApiDependencies extends HealthDependencies {
  readonly broker: Pick<Broker, 'publish' | 'read'>;
  readonly namespaces: Namespaces;
  readonly apiKeys: readonly string[];
  readonly fleet: Fleet;
  readonly isAllowedOrigin: OriginCheck;
  /** As `PublishDependencies` says. */
  readonly room: () => Promise<void> | undefined;
  readonly stats: Stats;
  readonly version: string;
  /** The demo page; absent: `/` is `not_found`. */
  readonly files?: StaticFiles | undefined;
  /** Health and metrics have a port of their own ({@link createHealthApi}); default false. */
  readonly healthElsewhere?: boolean;
  /** Told of faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}

/** Answers one request; never throws, never rejects. */
export type HttpHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

interface Route {
  /** Answered without a key. */
  readonly open?: boolean;
  readonly GET?: HttpHandler;
  /** Gets the body, which is JSON. */
  readonly POST?: (body: Uint8Array) => HttpResponse | Promise<HttpResponse>;
}

type Routes = ReadonlyMap<string, Route>;

export function createApi(dependencies: ApiDependencies): HttpHandler {
  const { fleet, version, files, healthElsewhere } = dependencies;
  const document = json(openApiDocument(version));
  const routes = new Map<string, Route>([
    ['/v1/publish', { POST: (body) => publish(body, dependencies) }],
    ['/v1/history', { GET: (request) => history(readQuery(request.query), dependencies) }],
    ['/v1/channels', { GET: (request) => channels(readQuery(request.query), fleet) }],
    ['/v1/nodes', { GET: () => nodes(fleet) }],
    ['/v1/openapi.json', { open: true, GET: () => document }],
    ...(healthElsewhere ? [] : healthRoutes(dependencies)),
  ]);
  for (const [path, file] of files ?? []) routes.set(path, { open: true, GET: (request) => serveFile(file, request) });
  return createHandler(routes, dependencies);
}

/** Health and metrics alone, for a port that the public cannot reach. */
export function createHealthApi(dependencies: ApiDependencies): HttpHandler {
  return createHandler(new Map(healthRoutes(dependencies)), dependencies);
}

function healthRoutes(dependencies: HealthDependencies): [string, Route][] {
  return [
    ['/health/live', { open: true, GET: live }],
    ['/health/ready', { open: true, GET: () => ready(dependencies) }],
    ['/metrics', { open: true, GET: () => metrics(dependencies) }],
  ];
}

function createHandler(routes: Routes, { apiKeys, isAllowedOrigin, stats, onFault }: ApiDependencies): HttpHandler {
  const isKey = createKeyCheck(apiKeys);

  const answer: HttpHandler = (request) => {
    const route = routes.get(request.path);
    if (!route) return problem('not_found', `nothing is at ${request.path}`);
    if (request.method === 'OPTIONS') return preflight(request, methodsOf(route));
    const { method, body } = request;
    const read = method === 'GET' || method === 'HEAD' ? route.GET : undefined;
    const write = method === 'POST' ? route.POST : undefined;
    if (!read && !write) {
      return problem('method_not_allowed', `use ${methodsOf(route)}`, [['allow', methodsOf(route)]]);
    }
    if (!route.open && !isKey(request.header('authorization'))) {
      throw new FanfareError('unauthorized', 'give an API key as Authorization: Bearer <key>');
    }
    if (!write) return (read as HttpHandler)(request);
    if (!isJson(request.header('content-type'))) return problem('unsupported_media_type', 'send application/json');
    if (body === 'too_large') throw new FanfareError('too_large', 'the request body is too large');
    return write(body);
  };
  const fail = (error: unknown): HttpResponse => {
    const failure = toFailure(error);
    if (failure.code === 'internal') onFault('request failed', error);
    return toProblem(failure);
  };
  const finish = (request: HttpRequest, response: HttpResponse): HttpResponse => {
    count(stats.httpResponses, response.status);
    const full = request.method === 'HEAD' ? { ...response, body: '' } : response;
    return allowOrigin(full, request.header('origin'), isAllowedOrigin);
  };

  return (request) => {
    try {
      const response = answer(request);
      if (!(response instanceof Promise)) return finish(request, response);
      return response.then(
        (later) => finish(request, later),
        (error) => finish(request, fail(error)),
      );
    } catch (error) {
      return finish(request, fail(error));
    }
  };
}

function methodsOf(route: Route): string {
  return [route.GET && 'GET, HEAD', route.POST && 'POST', 'OPTIONS'].filter(Boolean).join(', ');
}

/** JSON, also as `curl -d` and simple clients label it. */
const JSON_TYPES = /^($|application\/(json|x-www-form-urlencoded|[\w.-]+\+json)|text\/plain)\s*($|;)/i;

function isJson(contentType: string): boolean {
  return contentType === 'application/json' || JSON_TYPES.test(contentType);
}
