/**
 * Which web pages may talk to the gateway. Fanfare uses no cookies, so this is a second line behind
 * tokens: it keeps foreign pages from using a browser's network position.
 */
export type OriginCheck = (origin: string, host: string) => boolean;

/**
 * Entries are exact origins (`https://app.example.com`), origins with one `*` in the place of a
 * subdomain or port (`https://*.example.com`, `http://localhost:*`), or `*` for every origin.
 * Requests without an origin (no browser) and from the gateway's own origin (`host` is the `Host`
 * header, `''` if unknown) always pass.
 */
export function createOriginCheck(allowedOrigins: readonly string[]): OriginCheck {
  const exact = new Set(allowedOrigins.map((origin) => origin.toLowerCase()));
  const patterns = [...exact].filter((origin) => origin.includes('*')).map(toPattern);
  return (origin, host) => {
    if (origin === '' || exact.has('*')) return true;
    const asked = origin.toLowerCase();
    if (exact.has(asked) || patterns.some((pattern) => pattern.test(asked))) return true;
    return host !== '' && asked.replace(/^https?:\/\//, '') === host.toLowerCase();
  };
}

/** `*` stands for what has no `/`, so it can't reach across the host of a URL. */
function toPattern(origin: string): RegExp {
  const [before = '', after = ''] = origin.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\/]/g, '\\$&'));
  return new RegExp(`^${before}[^/]+${after}$`);
}
