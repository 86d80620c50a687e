import type { TargetPlan } from '../run/plan.js';
import { UsageError } from './flags.js';

interface TargetFlags {
  readonly url: readonly string[];
  readonly 'api-url'?: readonly string[] | undefined;
  readonly 'api-key'?: string | undefined;
  readonly token?: string | undefined;
  readonly secret?: string | undefined;
}

export const TARGET_OPTIONS = {
  url: { type: 'string', multiple: true },
  'api-url': { type: 'string', multiple: true },
  'api-key': { type: 'string' },
  token: { type: 'string' },
  secret: { type: 'string' },
} as const;

export const DEFAULT_URL = 'ws://127.0.0.1:8080/ws';

/**
 * Reads from flags where the gateways are.
 * @throws {UsageError} if a flag is wrong, or two contradict each other
 */
export function parseTarget(flags: TargetFlags): TargetPlan {
  const urls = flags.url.map(webSocketUrl);
  const apis = flags['api-url']?.map(apiUrl) ?? urls.map(apiOf);
  if (flags.token !== undefined && flags.secret !== undefined) throw new UsageError('--token or --secret, not both');
  return {
    urls,
    apis,
    apiKey: flags['api-key'] ?? process.env.FANFARE_API_KEY ?? 'dev',
    tokens: { token: flags.token, secret: flags.secret },
  };
}

function webSocketUrl(text: string): string {
  const url = parse('url', text);
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
    throw new UsageError(`--url takes ws://host:port/ws, not ${text}`);
  if (url.pathname === '/') url.pathname = '/ws';
  // One name is taken as one address, because connections are spread over source addresses by hand. With TLS the name
  // stays, because the certificate is valid for it.
  if (url.hostname === 'localhost' && url.protocol === 'ws:') url.hostname = '127.0.0.1';
  return url.href;
}

function apiUrl(text: string): string {
  const url = parse('api-url', text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new UsageError(`--api-url takes http://host:port, not ${text}`);
  return url.href;
}

function parse(flag: string, text: string): URL {
  if (!URL.canParse(text)) throw new UsageError(`--${flag} is not a URL: ${text}`);
  return new URL(text);
}

function apiOf(webSocket: string): string {
  const url = new URL(webSocket);
  return new URL('/', `${url.protocol === 'wss:' ? 'https:' : 'http:'}//${url.host}`).href;
}

export function isLoopback({ urls }: TargetPlan): boolean {
  return urls.every((url) => /^127\.|^localhost$/.test(new URL(url).hostname));
}

const PROBE_TIMEOUT_MS = 3_000;

/** Rejects with a hint of what to do unless every gateway answers. */
export async function probe({ apis }: TargetPlan): Promise<void> {
  for (const api of apis) {
    await fetch(new URL('/health/live', api), { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).catch(
      (error: Error) => {
        throw new Error(whyNoAnswer(api, String((error.cause as { code?: string } | undefined)?.code ?? '')));
      },
    );
  }
}

function whyNoAnswer(api: string, code: string): string {
  if (/CERT|ISSUER|ALTNAME/.test(code))
    return `the certificate of ${api} is not trusted (${code}): name the file of its authority in NODE_EXTRA_CA_CERTS`;
  return `no gateway answers at ${api}: start one (npm start), name yours (--url), or let one be started (--local memory)`;
}
