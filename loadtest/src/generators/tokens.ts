import { createHmac } from 'node:crypto';
import type { TokenPlan } from '../run/plan.js';

/** How long a token is valid, s: longer than any run. */
const TTL_S = 24 * 3600;
const HEADER = base64url('{"alg":"HS256","typ":"JWT"}');

/**
 * Returns the token of a connection: the one given, or one signed for its user with the right to the namespaces (RFC
 * 7515, HS256).
 */
export function tokenFor(
  { token, secret }: TokenPlan,
  user: string,
  namespaces: readonly string[],
): string | undefined {
  if (token !== undefined || secret === undefined) return token;
  const rights = ['subscribe', 'publish', 'presence', 'history'];
  const channels = Object.fromEntries(namespaces.map((namespace) => [`${namespace}:*`, rights]));
  const now = Math.floor(Date.now() / 1000);
  const body = `${HEADER}.${base64url(JSON.stringify({ sub: user, iat: now, exp: now + TTL_S, channels }))}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
