import { createHmac } from 'node:crypto';

/**
 * The headers of a signed request (Standard Webhooks 1.0.0): whoever knows the secret can tell that it comes from this
 * gateway, and when it was sent.
 * @param secret text, or `whsec_` and base64
 * @param id the same for each attempt of one request
 * @param timeMs since the Unix epoch
 */
export function sign(secret: string, id: string, timeMs: number, body: string): Record<string, string> {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
  const timestamp = String(Math.floor(timeMs / 1000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
