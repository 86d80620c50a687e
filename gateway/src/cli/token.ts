import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isChannelName } from '@fanfare/protocol';
import { SignJWT } from 'jose';
import { readClaims } from '../auth/claims.js';
import { ACTIONS } from '../auth/permissions.js';
import { loadConfig } from '../config/config.js';
import { parseDuration } from '../config/types.js';
import { parseArguments } from './arguments.js';
import { type Command, type Io, UsageError } from './command.js';

const OPTIONS = {
  sub: { type: 'string' },
  allow: { type: 'string', multiple: true },
  ttl: { type: 'string' },
  subscribe: { type: 'string', multiple: true },
  info: { type: 'string' },
  id: { type: 'string' },
  'private-key': { type: 'string' },
  kid: { type: 'string' },
} as const;

const DEFAULT_TTL = '1h';

export const token: Command = {
  name: 'token',
  usage: '[flags]',
  about: 'Makes a token for a client and prints it; for tries and tests, backends make their own.',
  details: [
    '  --sub user             who the client is; without it: anonymous',
    `  --allow pattern=a,b    what it may do: ${ACTIONS.join(', ')}; may be repeated`,
    `  --ttl duration         how long it holds: 90s, 15m, 1h, 7d; default ${DEFAULT_TTL}`,
    '  --subscribe channel    puts the connection on this channel at once; may be repeated',
    '  --info json            shown to others in presence',
    '  --id text              names the token (jti), so that it can be revoked',
    '  --private-key file     signs with this key (PEM: RSA, P-256, Ed25519), instead of the secret',
    '  --kid text             names that key',
    '',
    'Signed with FANFARE_JWT_SECRET or jwtSecret of the file; issuer and audience are those of the',
    'configuration.',
  ].join('\n'),
  async run(argv, { env, cwd, out }) {
    const { values } = parseArguments(argv, OPTIONS, []);
    // The configuration of the gateway is read, so that it accepts the token that is made here. Flags are those of this
    // command.
    const { jwtSecret, jwtIssuer, jwtAudience } = loadConfig({ argv: [], env, cwd });
    const { algorithm, key } = signingKey(values['private-key'], jwtSecret, cwd);
    const ttlMs = parseDuration(values.ttl ?? DEFAULT_TTL);
    if (!ttlMs) throw new UsageError('--ttl wants a duration like 90s, 15m, 1h, 7d');
    const nowS = Math.floor(Date.now() / 1000);
    const claims = {
      ...(values.sub !== undefined && { sub: values.sub }),
      iat: nowS,
      exp: nowS + Math.ceil(ttlMs / 1000),
      ...(values.id !== undefined && { jti: values.id }),
      ...(jwtIssuer !== undefined && { iss: jwtIssuer }),
      ...(jwtAudience !== undefined && { aud: jwtAudience }),
      ...(values.allow && { channels: Object.fromEntries(values.allow.map(readAllow)) }),
      ...(values.subscribe && { subscribe: values.subscribe }),
      ...(values.info !== undefined && { info: readInfo(values.info) }),
    };
    try {
      readClaims(claims);
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
    const { kid } = values;
    const header = { alg: algorithm, typ: 'JWT', ...(kid !== undefined && { kid }) };
    out(`${await new SignJWT(claims).setProtectedHeader(header).sign(key)}\n`);
    return 0;
  },
};

/** @throws {UsageError} */
function signingKey(
  file: string | undefined,
  secret: string | undefined,
  cwd: Io['cwd'],
): { readonly algorithm: string; readonly key: KeyObject | Uint8Array } {
  if (file === undefined) {
    if (secret !== undefined) return { algorithm: 'HS256', key: new TextEncoder().encode(secret) };
    throw new UsageError('nothing to sign with: set FANFARE_JWT_SECRET, or give --private-key');
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(resolve(cwd, file)));
  } catch (error) {
    throw new UsageError(`--private-key: ${(error as Error).message}`);
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa') return { algorithm: 'RS256', key };
  if (type === 'ed25519') return { algorithm: 'EdDSA', key };
  if (type === 'ec' && details?.namedCurve === 'prime256v1') return { algorithm: 'ES256', key };
  throw new UsageError('--private-key wants an RSA, P-256 or Ed25519 key');
}

/** Reads a permission such as `chat:*=subscribe,publish`. The last `=` counts, because names may contain others. */
function readAllow(text: string): [pattern: string, actions: string[]] {
  const equals = text.lastIndexOf('=');
  const pattern = text.slice(0, Math.max(0, equals));
  const actions = text.slice(equals + 1).split(',');
  const unknown = actions.find((action) => !(ACTIONS as readonly string[]).includes(action));
  if (!isChannelName(pattern) || unknown !== undefined) {
    throw new UsageError(`--allow wants <pattern>=<actions> with some of ${ACTIONS.join(', ')}, not "${text}"`);
  }
  return [pattern, actions];
}

function readInfo(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UsageError(`--info is not JSON: ${(error as Error).message}`);
  }
}
