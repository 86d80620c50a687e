/**
 * Which web pages may talk to the gateway. Fanfare uses no cookies, so this is a second line behind
 * tokens: it keeps foreign pages from using a browser's network position.
 */
export type OriginCheck = (origin: string, host: string) => boolean;

/**
 * An origin in normal form: lower case, host names in ASCII (Punycode), and `port` `''` if it is the default of the
 * scheme.
 */
interface Origin {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
}

const ORIGIN = /^([a-z][a-z\d+.-]*):\/\/([^/?#@\\\s]*?)(?::(\d{1,5}|\*))?$/i;
/** The schemes whose hosts are names of the Internet, and their default ports (RFC 9110 section 4.2). */
const WEB_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };

/**
 * Makes the check from a list of entries. Entries are origins: of the web (`https://app.example.com`), with `*` for a
 * part of the host or for any port (`https://*.example.com`, `http://localhost:*`); of programs with a scheme of their
 * own (`capacitor://localhost`, `tauri://localhost`, `chrome-extension://*`, `file://`); `null`, as pages say that have
 * none (a sandboxed frame, most `file:` pages); or `*` for every origin. They are compared in normal form. Requests
 * without an origin (no browser) and from the gateway's own origin (`host` is the `Host` header, `''` if unknown)
 * always pass.
 */
export function createOriginCheck(allowedOrigins: readonly string[]): OriginCheck {
  const allowsAll = allowedOrigins.includes('*');
  const matchers = allowedOrigins.flatMap((entry) => toMatcher(parseOrigin(entry)) ?? []);
  return (text, host) => {
    if (text === '' || allowsAll) return true;
    const origin = parseOrigin(text);
    if (!origin) return false;
    return matchers.some((matches) => matches(origin)) || isOwn(origin, host);
  };
}

/** Whether an entry is one that {@link createOriginCheck} understands. */
export function isOriginEntry(text: string): boolean {
  if (text === '*') return true;
  const origin = parseOrigin(text);
  return origin !== undefined && origin.host.split('*').length <= 2;
}

function parseOrigin(text: string): Origin | undefined {
  if (text.toLowerCase() === 'null') return { scheme: 'null', host: '', port: '' };
  const [, scheme = '', host = '', port = ''] = ORIGIN.exec(text) ?? [];
  if (scheme === '') return undefined;
  const name = scheme.toLowerCase();
  const ownPort = WEB_PORTS[name];
  if (ownPort === undefined) return { scheme: name, host: host.toLowerCase(), port };
  if (!URL.canParse(`${name}://${host}`)) return undefined;
  return { scheme: name, host: new URL(`${name}://${host}`).hostname, port: port === ownPort ? '' : port };
}

function toMatcher(entry: Origin | undefined): ((origin: Origin) => boolean) | undefined {
  if (!entry) return undefined;
  const [before = '', after] = entry.host.split('*');
  const matchesHost =
    after === undefined
      ? (host: string) => host === entry.host
      : (host: string) => host.length > before.length + after.length && host.startsWith(before) && host.endsWith(after);
  return ({ scheme, host, port }) =>
    scheme === entry.scheme && (entry.port === '*' || port === entry.port) && matchesHost(host);
}

/**
 * Whether the origin is the gateway's own. The scheme is not compared, because it is not known here whether TLS ends in
 * front of the gateway.
 */
function isOwn({ scheme, host, port }: Origin, hostHeader: string): boolean {
  if (hostHeader === '' || WEB_PORTS[scheme] === undefined) return false;
  const own = parseOrigin(`${scheme}://${hostHeader}`);
  return own !== undefined && own.host === host && own.port === port;
}
