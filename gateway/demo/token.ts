/**
 * A gateway that is not open to anyone wants a token: `http://localhost:8080/#token=…`. What stands behind the `#` no browser sends
 * anywhere; the page hands it on to its threads in the same way.
 */
export function tokenInUrl(hash: string): { readonly token?: string } {
  const token = new URLSearchParams(hash.slice(1)).get('token');
  return token === null ? {} : { token };
}
