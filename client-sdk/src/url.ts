import { badRequest } from './errors.js';

/** What a page, a worker or a frame offers to relative addresses. */
interface Place {
  readonly document?: { readonly baseURI?: string };
  readonly location?: { readonly href?: string };
  readonly origin?: string;
}

/**
 * Returns the address as a WebSocket takes it: `ws:` for `http:`, `wss:` for `https:`, `/ws` if no path is named, and
 * no fragment. A relative address stays as it is until {@link absoluteUrl}, because a module that makes a client may
 * also be loaded on a server, which has no base.
 * @throws {FanfareClientError} `bad_request` if it is no address, or not one of a WebSocket
 */
export function checkUrl(text: string): string {
  if (typeof text !== 'string' || text === '') return refuse('is not a URL', text);
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) return text;
  // The parts are taken by hand, because the `URL` of React Native cannot change its parts.
  const [, secure = '', host, path = '', query = ''] =
    /^(?:ws|http)(s?):\/\/([^/?#\s]+)([^?#]*)(\?[^#]*)?/i.exec(text) ??
    refuse('must be relative, or of ws:, wss:, http: or https: and with a host', text);
  const url = `ws${secure.toLowerCase()}://${host}${path.length > 1 ? path : '/ws'}${query}`;
  return parses(url) ? url : refuse('is not a URL', text);
}

/**
 * Returns a checked address together with what it is relative to. In a frame made by `srcdoc` that is the page around
 * it, and in a worker made from a blob it is the worker's origin.
 * @throws {FanfareClientError} `bad_request` if it is relative and there is no base here
 */
export function absoluteUrl(url: string): string {
  if (/^wss?:/.test(url)) return url;
  const { document, location, origin } = globalThis as Place;
  for (const base of [document?.baseURI, location?.href, origin]) {
    if (base && /^https?:/.test(base) && parses(url, base)) return checkUrl(new URL(url, base).href);
  }
  return refuse('is relative, and there is no page here that it could be relative to', url);
}

function parses(url: string, base?: string): boolean {
  try {
    new URL(url, base);
    return true;
  } catch {
    return false;
  }
}

function refuse(why: string, text: string): never {
  throw badRequest(`url ${why}: ${text}`);
}
