/** CORS (Fetch Standard, "HTTP-CORS protocol"): lets pages of the allowed origins use the API. */
import type { OriginCheck } from '../auth/origin.js';
import type { HttpRequest, HttpResponse } from '../transport/transport.js';
import type { Header } from './problem.js';

/** How long a browser may keep the answer to a preflight, s. */
const PREFLIGHT_MAX_AGE_S = 600;

/** Adds the headers that a browser needs. The answer to a request without `Origin` stays as it is. */
export function allowOrigin(response: HttpResponse, origin: string, isAllowed: OriginCheck): HttpResponse {
  if (origin === '') return response;
  const headers: Header[] = [...response.headers, ['vary', 'Origin']];
  if (isAllowed(origin, '')) {
    headers.push(['access-control-allow-origin', origin], ['access-control-expose-headers', 'Retry-After']);
  }
  return { ...response, headers };
}

/** The answer to `OPTIONS`, before the origin is added. Browsers send that request without a key. */
export function preflight(request: HttpRequest, methods: string): HttpResponse {
  const headers: Header[] = [['allow', methods]];
  if (request.header('access-control-request-method') !== '') {
    headers.push(
      ['access-control-allow-methods', methods],
      ['access-control-allow-headers', 'Authorization, Content-Type'],
      ['access-control-max-age', String(PREFLIGHT_MAX_AGE_S)],
    );
  }
  return { status: 204, headers, body: '' };
}
