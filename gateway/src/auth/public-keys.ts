/**
 * Public keys with which tokens are verified. They are read from PEM, JWK or JWKS text, and found by algorithm and key
 * id.
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';

/** The algorithms of public keys. A key serves only one of them, so that no token can choose how it is read. */
const PUBLIC_KEY_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;
type PublicKeyAlgorithm = (typeof PUBLIC_KEY_ALGORITHMS)[number];

export interface PublicKey {
  /** The key id. `undefined`: the key serves tokens with any `kid`. */
  readonly id: string | undefined;
  readonly algorithm: PublicKeyAlgorithm;
  readonly key: KeyObject;
}

/** The fields of a JSON Web Key (RFC 7517) that are looked at. */
interface Jwk extends JsonWebKey {
  readonly kid?: unknown;
  readonly alg?: unknown;
  readonly use?: unknown;
}

/** Most keys of one source, because each is tried for a token that names none. */
const MAX_KEYS = 32;
const MIN_RSA_BITS = 2048;

/**
 * Reads public keys from one or several PEM blocks (public keys or certificates), a JWK, or a JWKS (`{"keys":[...]}`).
 * In a text of one line, `\n` may stand for a line break, as in environment files.
 * @throws {Error} that says the reason in one line
 */
export function parsePublicKeys(text: string): readonly PublicKey[] {
  const trimmed = text.trim();
  if (!trimmed.startsWith('{')) return pemBlocks(trimmed).map((pem) => fromJwk(pemToJwk(pem)));
  let parsed: unknown;
  try {
    parsed = JSON.parse(trimmed);
  } catch {
    throw new Error('is neither PEM nor JSON');
  }
  return isSet(parsed) ? keysOfSet(parsed) : [fromJwk(parsed as Jwk)];
}

/**
 * The usable keys of a JWKS document. Keys that are for encryption, of another kind, or secret are passed over.
 * @throws {Error} if it is no such document, or holds no usable key
 */
export function keysOfSet(document: unknown): readonly PublicKey[] {
  if (!isSet(document)) throw new Error('is no JWKS: it has no list "keys"');
  const usable = document.keys.filter((jwk) => jwk.use !== 'enc' && algorithmOf(jwk) !== undefined).slice(0, MAX_KEYS);
  const imported = usable.flatMap((jwk) => {
    try {
      return [fromJwk(jwk)];
    } catch {
      // A key that is broken or too weak does not make the others unusable.
      return [];
    }
  });
  if (imported.length === 0) throw new Error(`has no key for ${PUBLIC_KEY_ALGORITHMS.join(', ')}`);
  return imported;
}

/** The keys that may have signed a token with this header. */
export function keysFor(keys: readonly PublicKey[], algorithm: string, id: string | undefined): readonly PublicKey[] {
  return keys.filter(
    (key) => key.algorithm === algorithm && (id === undefined || key.id === undefined || key.id === id),
  );
}

function fromJwk(jwk: Jwk): PublicKey {
  const algorithm = algorithmOf(jwk);
  if (!algorithm) throw new Error('is no RSA, P-256 or Ed25519 key');
  if ('d' in jwk) throw new Error('is a private key: give the public key, and keep this one where tokens are made');
  if (algorithm === 'RS256' && Buffer.from(jwk.n ?? '', 'base64url').length * 8 < MIN_RSA_BITS) {
    throw new Error(`is an RSA key of less than ${MIN_RSA_BITS} bits`);
  }
  const id = typeof jwk.kid === 'string' ? jwk.kid : undefined;
  return { id, algorithm, key: createPublicKey({ key: jwk, format: 'jwk' }) };
}

/** The algorithm that a key is for, which follows from its kind. `undefined` if it names another algorithm. */
function algorithmOf({ kty, crv, alg }: Jwk): PublicKeyAlgorithm | undefined {
  const algorithm =
    kty === 'RSA'
      ? 'RS256'
      : kty === 'EC' && crv === 'P-256'
        ? 'ES256'
        : kty === 'OKP' && crv === 'Ed25519'
          ? 'EdDSA'
          : undefined;
  return alg === undefined || alg === algorithm || (alg === 'Ed25519' && algorithm === 'EdDSA') ? algorithm : undefined;
}

function pemBlocks(text: string): readonly string[] {
  const blocks = text.replaceAll('\\n', '\n').match(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g) ?? [];
  if (blocks.length === 0) throw new Error('is neither PEM nor JSON');
  return blocks;
}

function pemToJwk(pem: string): Jwk {
  if (/^-----BEGIN [A-Z ]*PRIVATE KEY/.test(pem)) {
    throw new Error('is a private key: give the public key, and keep this one where tokens are made');
  }
  try {
    return createPublicKey(pem).export({ format: 'jwk' }) as Jwk;
  } catch {
    throw new Error('holds a PEM block that is no public key');
  }
}

function isSet(value: unknown): value is { readonly keys: readonly Jwk[] } {
  const { keys } = (value ?? {}) as { keys?: unknown };
  return Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null);
}
