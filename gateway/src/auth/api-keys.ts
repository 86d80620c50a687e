/** API keys: what each may do, and which one a request has brought. */
import { timingSafeEqual } from 'node:crypto';
import type { Action, Identity } from './authenticator.js';
import { Permissions } from './permissions.js';

/**
 * What an API key may be for. `publish`: publishing messages. `read`: history, presence, channels and gateways.
 * `admin`: sessions, users, and the state of other gateways.
 */
export const SCOPES = ['publish', 'read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export interface ApiKey {
  /** Name of the key in logs, metrics and `fanfare config`, which never show the key itself. */
  readonly name: string;
  readonly key: string;
  readonly scopes: readonly Scope[];
  /** Patterns of the channels that the key is for; `['*']`: all channels. */
  readonly channels: readonly string[];
}

/** A backend with an API key. */
export interface Backend extends Identity {
  readonly isBackend: true;
  readonly keyName: string;
  readonly scopes: readonly Scope[];
  /**
   * Whether the backend may control what concerns this channel. Without a channel: users and connections as a whole.
   */
  administers(channel?: string): boolean;
}

/** Longest key that can be configured. */
export const MAX_KEY_LENGTH = 256;

const ACTIONS_OF: Readonly<Record<Scope, readonly Action[]>> = {
  publish: ['publish'],
  read: ['subscribe', 'history', 'presence'],
  admin: [],
};

export function createBackend({ name, scopes, channels }: Omit<ApiKey, 'key'>): Backend {
  const actions = scopes.flatMap((scope) => ACTIONS_OF[scope]);
  const all = new Permissions(channels.map((pattern) => [pattern, ['subscribe']] as const));
  return {
    isBackend: true,
    keyName: name,
    grants: new Permissions(channels.map((pattern) => [pattern, actions] as const)),
    scopes,
    administers: (channel) =>
      scopes.includes('admin') &&
      (channel === undefined ? all.allowsAll('subscribe', '') : all.allows('subscribe', channel)),
  };
}

/** Finds the backend whose key is in an `Authorization` header; `undefined` if it is nobody's. */
type FindBackend = (authorization: string) => Backend | undefined;

/**
 * Makes a function that finds backends by their key. It takes the same time whatever part of a key is right, and
 * whichever key it is.
 */
export function createBackendFinder(apiKeys: readonly ApiKey[]): FindBackend {
  const known = apiKeys.map((one) => ({
    key: padded(Buffer.alloc(MAX_KEY_LENGTH), one.key),
    backend: createBackend(one),
  }));
  const asked = Buffer.alloc(MAX_KEY_LENGTH);
  return (authorization) => {
    const key = bearerToken(authorization);
    if (key === '' || key.length > MAX_KEY_LENGTH) return undefined;
    padded(asked, key);
    let found: Backend | undefined;
    for (const one of known) if (timingSafeEqual(asked, one.key)) found ??= one.backend;
    return found;
  };
}

/** The token of an `Authorization: Bearer` header; `''` if the header is none. */
function bearerToken(authorization: string): string {
  return /^bearer +/i.test(authorization) ? authorization.slice(7).trim() : '';
}

/** The key, padded with NUL bytes. Keys hold none, so padding makes no two of them equal. */
function padded(buffer: Buffer, key: string): Buffer {
  buffer.fill(0);
  buffer.write(key, 'latin1');
  return buffer;
}
