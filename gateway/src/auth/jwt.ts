/**
 * Tokens: JSON Web Tokens (RFC 7519), verified by `jose`. Which key verifies a token follows from the kind of the key
 * itself, and a token can only name one of our keys. Anything else in its header (`jku`, `jwk`, `x5u`) is not looked
 * at.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { decodeProtectedHeader, errors, type JWTVerifyOptions, jwtVerify } from 'jose';
import type { Clock } from '../clock.js';
import { FanfareError } from '../errors.js';
import { type Claims, readClaims } from './claims.js';
import { keysFor, type PublicKey } from './public-keys.js';
import type { RemoteKeys } from './remote-keys.js';

export interface TokenVerifierOptions {
  readonly clock: Pick<Clock, 'wall'>;
  /** Secrets for HS256: the one in use, and those that were in use before it. */
  readonly secrets: readonly string[];
  /** Public keys for RS256, ES256 and EdDSA. */
  readonly publicKeys: readonly PublicKey[];
  /** Further keys, which are asked for if none of {@link publicKeys} fits. */
  readonly remoteKeys?: RemoteKeys | undefined;
  /** What the claim `iss` has to be. Absent: it is not checked. */
  readonly issuer?: string | undefined;
  /** What the claim `aud` has to be, or to name among others. Absent: it is not checked. */
  readonly audience?: string | undefined;
  /** How far the clock of the issuer may be from ours, ms. */
  readonly clockToleranceMs: number;
}

export interface TokenVerifier {
  /** @throws {FanfareError} `unauthorized`, `token_expired`, or `unavailable` if keys cannot be reached */
  verify(token: string): Promise<Claims>;
}

/**
 * Largest token, bytes: a hundred times the size of a common one. A larger one is refused before anything is computed.
 */
export const MAX_TOKEN_BYTES = 16 * 1024;

/** The form of a token: three parts of base64url without padding (RFC 7515 section 7.1). */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const NO_TOKEN = 'the token is no JSON Web Token';

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { clock, publicKeys, remoteKeys, issuer, audience, clockToleranceMs } = options;
  const secrets = options.secrets.map((secret) => createSecretKey(Buffer.from(secret, 'utf8')));

  async function candidates(algorithm: string, id: string | undefined): Promise<readonly KeyObject[]> {
    if (algorithm === 'HS256' && secrets.length > 0) return secrets;
    const known = keysFor(publicKeys, algorithm, id);
    const isPublic = algorithm === 'RS256' || algorithm === 'ES256' || algorithm === 'EdDSA';
    const found = known.length === 0 && remoteKeys && isPublic ? await remoteKeys.keysFor(algorithm, id) : known;
    return found.map(({ key }) => key);
  }

  return {
    async verify(token) {
      if (token.length > MAX_TOKEN_BYTES) throw unauthorized(`the token is larger than ${MAX_TOKEN_BYTES} bytes`);
      const { alg, kid } = headerOf(token);
      const keys = await candidates(alg, kid);
      if (keys.length === 0) throw unauthorized('the token is signed with no key of this gateway');
      const checks: JWTVerifyOptions = {
        algorithms: [alg],
        currentDate: new Date(clock.wall()),
        clockTolerance: clockToleranceMs / 1000,
        ...(issuer !== undefined && { issuer }),
        ...(audience !== undefined && { audience }),
      };
      const claims = readClaims(await verifyWithAny(token, keys, checks));
      return held(claims, clock.wall(), clockToleranceMs);
    },
  };
}

/**
 * The claims of a token that was accepted. If its time was up already and only the tolerance let it in, it ends when
 * the tolerance does.
 */
function held(claims: Claims, nowMs: number, clockToleranceMs: number): Claims {
  const { expiresAt } = claims;
  return expiresAt === undefined || expiresAt > nowMs ? claims : { ...claims, expiresAt: expiresAt + clockToleranceMs };
}

async function verifyWithAny(
  token: string,
  keys: readonly KeyObject[],
  checks: JWTVerifyOptions,
): Promise<Record<string, unknown>> {
  for (const key of keys) {
    try {
      return (await jwtVerify(token, key, checks)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refusalOf(error);
    }
  }
  throw unauthorized('the signature of the token is wrong');
}

function headerOf(token: string): { alg: string; kid: string | undefined } {
  // Decoders accept more than the standard allows. Here each token has only one spelling.
  if (!COMPACT.test(token)) throw unauthorized(NO_TOKEN);
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    if (typeof alg === 'string') return { alg, kid: typeof kid === 'string' ? kid : undefined };
  } catch {
    // It is answered below, with everything else that is no token.
  }
  throw unauthorized(NO_TOKEN);
}

/** The error for a token that was refused. It says which check failed, and nothing of what is in the token. */
function refusalOf(error: unknown): FanfareError {
  if (error instanceof errors.JWTExpired) return new FanfareError('token_expired', 'the token has expired');
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf' && error.reason === 'check_failed') return unauthorized('the token is not valid yet');
    return unauthorized(`the claim ${error.claim} of the token is not what this gateway wants`);
  }
  return unauthorized('the token is no valid JSON Web Token');
}

function unauthorized(message: string): FanfareError {
  return new FanfareError('unauthorized', message);
}
