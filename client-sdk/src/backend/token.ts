import { isChannelName } from '@fanfare/protocol';
import { checkDeclared, type Declared, declarationOf } from '../channels/declared.js';
import type { NameOf } from '../channels/patterns.js';
import type { SpecOf } from '../channels/spec.js';
import { checkNumber } from '../check-number.js';
import type { Untyped } from '../client-types.js';
import { badRequest } from '../errors.js';
import { toBase64 } from './base64.js';

/** What a token may allow on a channel. */
export type Action = 'subscribe' | 'publish' | 'presence' | 'history';
type ActionOf<Spec> = Spec extends { readonly kind: 'live' } ? Exclude<Action, 'history'> : Action;

/** What is allowed, by the names and patterns of the map. An action that the kind does not have does not compile. */
export type Grants<Map = Untyped> = {
  readonly [Key in keyof Map & string as NameOf<Key>]?: readonly ActionOf<SpecOf<Map[Key]>>[];
};

/**
 * What signs a token: a secret of at least 32 bytes (HS256), or a private `CryptoKey` for `sign`, whose algorithm says
 * which of HS256, RS256, ES256 and EdDSA it is.
 */
export type SigningKey = string | { readonly type: string; readonly algorithm: { readonly name: string } };

/** The claims of a token, and what signs it. */
export interface TokenOptions<Map = Untyped> {
  /** What signs it: the `jwtSecret` of the gateway, or the private key to one of its public ones. */
  readonly key: SigningKey;
  /** The user (`sub`), 1 to 255 bytes. Without one the token is anonymous, and allows what it grants. */
  readonly user?: string | undefined;
  /** It holds for so long from now on, seconds. */
  readonly expiresInS: number;
  /** What it allows (`channels`), by name or by pattern (`chat:*`). Namespaces may allow more by themselves. */
  readonly grants?: Grants<Map> | undefined;
  /** What others are shown of its user in presence, up to 4 KiB of JSON. */
  readonly info?: unknown;
  /** Up to 100 channels that the connection is put on at once, and may subscribe to. */
  readonly subscribe?: readonly NameOf<keyof Map & string>[] | undefined;
  /** The name of the token (`jti`), by which it can be revoked. */
  readonly id?: string | undefined;
  /** The issuer (`iss`), where the gateway asks for one. */
  readonly issuer?: string | undefined;
  /** The audience (`aud`), where the gateway asks for one. */
  readonly audience?: string | undefined;
  /** Which of the keys of the gateway it is (`kid`). */
  readonly keyId?: string | undefined;
}

/** The details of a key in `CryptoKey.algorithm`. Each kind of key has some of them. */
interface KeyDetails {
  readonly name: string;
  readonly hash?: { readonly name: string };
  readonly namedCurve?: string;
}

const SHA_256 = { name: 'SHA-256' };
const ACTIONS: readonly string[] = ['subscribe', 'publish', 'presence', 'history'] satisfies Action[];
const MIN_SECRET_BYTES = 32;
const ALGORITHMS: Readonly<Record<string, [name: string, how: AlgorithmIdentifier | EcdsaParams]>> = {
  HMAC: ['HS256', 'HMAC'],
  'RSASSA-PKCS1-v1_5': ['RS256', 'RSASSA-PKCS1-v1_5'],
  ECDSA: ['ES256', { name: 'ECDSA', hash: 'SHA-256' }],
  Ed25519: ['EdDSA', 'Ed25519'],
};

/**
 * Makes the token of a client, by WebCrypto: in Node, Deno, Bun and at the edge. Given the map, `channels`, grants are
 * checked by it when the token is made; `signToken<typeof channels>` checks them by the compiler alone. A token of one
 * channel, for `subscribe({ token })`, is a token that grants that channel.
 * @throws {FanfareClientError} as a rejection: `bad_request`, naming what is wrong.
 */
export function signToken<Map extends object>(options: TokenOptions<Map> & { readonly channels: Map }): Promise<string>;
export function signToken<Map = Untyped>(options: TokenOptions<Map>): Promise<string>;
export async function signToken(options: TokenOptions & { readonly channels?: object }): Promise<string> {
  const { key, user, expiresInS, grants = {}, info, subscribe, id, issuer, audience, keyId } = options;
  const now = Math.floor(Date.now() / 1000);
  checkNumber('expiresInS', expiresInS, 1);
  if (user !== undefined && !(user !== '' && bytesOf(user).length <= 255)) throw badRequest('user has 1 to 255 bytes');
  if (info !== undefined && bytesOf(JSON.stringify(info) ?? '').length > 4_096) throw badRequest('info is over 4 KiB');
  if (subscribe && subscribe.length > 100) throw badRequest('subscribe has over 100 channels');
  checkGrants(grants, checkDeclared(options.channels));
  const signing = typeof key === 'string' ? await secretKey(key) : (key as CryptoKey);
  const { name, hash, namedCurve = 'P-256' } = signing.algorithm as KeyDetails;
  const [alg, how] = ALGORITHMS[name] ?? [];
  const isStrange = (hash ?? SHA_256).name !== SHA_256.name || namedCurve !== 'P-256';
  if (alg === undefined || how === undefined || isStrange)
    throw badRequest(`no token is signed by ${JSON.stringify(signing.algorithm)}`);
  const claims = { sub: user, iat: now, exp: now + Math.ceil(expiresInS), channels: grants };
  const others = { info, subscribe, jti: id, iss: issuer, aud: audience };
  const text = [
    { alg, typ: 'JWT', kid: keyId },
    { ...claims, ...others },
  ]
    .map((part) => base64Url(bytesOf(JSON.stringify(part))))
    .join('.');
  const signature = await crypto.subtle.sign(how, signing, bytesOf(text));
  return `${text}.${base64Url(new Uint8Array(signature))}`;
}

function checkGrants(grants: Readonly<Record<string, readonly string[] | undefined>>, map: Declared | undefined): void {
  for (const [name, actions = []] of Object.entries(grants)) {
    if (!isChannelName(name)) throw badRequest(`not a channel name: ${JSON.stringify(name)}`);
    // A pattern fits itself, and every pattern that is wider.
    const declared = map && declarationOf(map, name);
    for (const action of actions) {
      if (!ACTIONS.includes(action)) throw badRequest(`no such action: ${action}`);
      if (action === 'history' && declared?.kind === 'live') throw badRequest(`${name} is live and has no history`);
    }
  }
}

async function secretKey(secret: string): Promise<CryptoKey> {
  const bytes = bytesOf(secret);
  if (bytes.length < MIN_SECRET_BYTES) throw badRequest(`a secret has at least ${MIN_SECRET_BYTES} bytes`);
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function base64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replace(/[+/=]/g, (sign) => ({ '+': '-', '/': '_' })[sign] ?? '');
}
