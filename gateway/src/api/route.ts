import type { Backend, Scope } from '../auth/api-keys.js';
import type { Caller } from '../channels/access.js';
import type { HttpAnswer, HttpRequest } from '../transport/transport.js';

/** The caller of the HTTP API: a backend, or nobody in particular where a path is open. */
export interface ApiCaller extends Caller {
  readonly identity: Backend | undefined;
  /** The W3C `traceparent` of the request, if it has a valid one. */
  readonly traceparent?: string | undefined;
}

/** A path with a handler for each method. Handlers may throw a `FanfareError`, which is answered as a problem. */
export interface Route {
  /** The scope that a key has to have. `open`: the path is answered without a key, and the caller has no identity. */
  readonly scope: Scope | 'open';
  readonly GET?: (request: HttpRequest, caller: ApiCaller) => HttpAnswer;
  /** Answers a POST. It is given the body, whose content type is JSON. */
  readonly POST?: (body: Uint8Array, caller: ApiCaller) => HttpAnswer;
}

/** Routes, each with its exact path. */
export type ApiRoutes = readonly (readonly [path: string, route: Route])[];
