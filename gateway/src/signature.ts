/**
 * Signatures of requests to the application, which are webhooks and questions, as https://www.standardwebhooks.com
 * specifies them: HMAC-SHA256 over id, time and body.
 */
import { createHmac } from 'node:crypto';

/** What a secret begins with. The key in Base64 follows. */
const SECRET_PREFIX = 'whsec_';
/** How many bytes a key may have; the specification asks for 24 to 64. */
const KEY_BYTES = { min: 24, max: 64 };

/** Reads the key in a secret. @throws {Error} that says what is wrong with the secret */
export function parseSecret(secret: string): Buffer {
  const text = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : undefined;
  const key = text !== undefined && /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
  if (!key || key.length < KEY_BYTES.min || key.length > KEY_BYTES.max) {
    throw new Error(`expected ${SECRET_PREFIX} and ${KEY_BYTES.min} to ${KEY_BYTES.max} random bytes in Base64`);
  }
  return key;
}

/** The key in a secret for questions, which may also be any text: that is the key as it stands then. */
export function keyOf(secret: string): Buffer {
  return secret.startsWith(SECRET_PREFIX)
    ? Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
    : Buffer.from(secret);
}

/**
 * The headers of a signed request. Whoever knows the key can tell that the request is from this gateway, and when it was
 * sent. With several keys there are as many signatures. A receiver needs to know only one of the
 * keys, so that a secret can be changed.
 * @param id the same for each attempt of one request
 * @param timeSeconds seconds since the Unix epoch
 */
export function signedHeaders(keys: readonly Buffer[], id: string, timeSeconds: number, body: string) {
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timeSeconds}.${body}`).digest('base64')}`,
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timeSeconds),
    'webhook-signature': signatures.join(' '),
  };
}
