import type { Backend, Scope } from '../auth/api-keys.js';
import type { Caller } from '../channels/access.js';
import type { HttpAnswer, HttpRequest } from '../transport/transport.js';

/** Who asks: a backend, or nobody where a path is open. */
export interface ApiCaller extends Caller {
  readonly identity: Backend | undefined;
  /** W3C `traceparent` of the request, if it has a valid one. */
  readonly traceparent?: string | undefined;
}

/** A path with a handler for each method. Handlers may throw a `FanfareError`, which is answered as a problem. */
export interface Route {
  /** What a key has to be for; `open`: answered without one, and its caller has no identity. */
  readonly scope: Scope | 'open';
  readonly GET?: (request: HttpRequest, caller: ApiCaller) => HttpAnswer;
  /** Gets the body, which is JSON. */
  readonly POST?: (body: Uint8Array, caller: ApiCaller) => HttpAnswer;
}

/** Routes by their exact path. */
export type ApiRoutes = readonly (readonly [path: string, route: Route])[];
