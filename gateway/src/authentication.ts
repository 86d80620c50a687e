/** Puts together what finds out who clients are: a verifier of tokens, the application, or nothing. */
import type { Application } from './auth/application.js';
import type { Authenticator } from './auth/authenticator.js';
import { createHook } from './auth/hook.js';
import { createHookAuthenticator } from './auth/hook-authenticator.js';
import { createTokenVerifier } from './auth/jwt.js';
import { createOpenAuthenticator } from './auth/open.js';
import { parsePublicKeys } from './auth/public-keys.js';
import { RemoteKeys } from './auth/remote-keys.js';
import { createTokenAuthenticator } from './auth/token-authenticator.js';
import type { Clock } from './clock.js';
import type { Config } from './config/config.js';
import { verifiesTokens } from './config/resolve.js';
import type { Logger } from './observability/logger.js';

export interface Authentication {
  readonly authenticator: Authenticator;
  /** The application that is asked where a namespace says `hook`; `undefined`: there is none. */
  readonly application: Application | undefined;
  /** The services that are asked over the network, and whether they answer. */
  services(): readonly { readonly service: string; readonly isUp: boolean }[];
  /** How many keys of the JWKS URL are at hand; `undefined`: no URL is configured. */
  jwksKeys(): number | undefined;
}

export function createAuthentication(config: Config, clock: Clock, logger: Logger): Authentication {
  let answers = true;
  const application = createApplication(config, clock, (problem) => {
    answers = problem === undefined;
    if (answers) logger.info({}, 'the application answers again');
    else logger.error({ problem }, 'the application does not answer: clients that need it are told to come again');
  });
  const { jwtJwksUrl } = config;
  const remoteKeys = jwtJwksUrl === undefined ? undefined : createRemoteKeys(jwtJwksUrl, clock, logger);
  return {
    application,
    authenticator: createAuthenticator(config, clock, application, remoteKeys),
    services: () => [
      ...(application ? [{ service: 'auth_hook', isUp: answers }] : []),
      ...(remoteKeys ? [{ service: 'jwks', isUp: remoteKeys.state.problem === undefined }] : []),
    ],
    jwksKeys: () => remoteKeys?.state.keys,
  };
}

function createAuthenticator(
  config: Config,
  clock: Clock,
  application: Application | undefined,
  remoteKeys: RemoteKeys | undefined,
): Authenticator {
  if (verifiesTokens(config)) return createJwtAuthenticator(config, clock, remoteKeys);
  if (application) return createHookAuthenticator(application);
  // In development a page may bring the token that it will need later.
  return createOpenAuthenticator({ tokens: config.mode === 'development' ? 'ignored' : 'refused' });
}

function createApplication(
  { auth: { hook } }: Config,
  clock: Clock,
  onState: (problem: string | undefined) => void,
): Application | undefined {
  const { url, secret, timeoutMs, cacheMs } = hook;
  if (url === undefined) return undefined;
  return createHook({ url, secret, timeoutMs, cacheMs, clock, onState });
}

function createJwtAuthenticator(config: Config, clock: Clock, remoteKeys: RemoteKeys | undefined): Authenticator {
  const { jwtSecret, jwtPreviousSecret, jwtPublicKey, jwtIssuer, jwtAudience } = config;
  const verifier = createTokenVerifier({
    clock,
    secrets: [jwtSecret, jwtPreviousSecret].filter((secret) => secret !== undefined),
    publicKeys: jwtPublicKey === undefined ? [] : parsePublicKeys(jwtPublicKey),
    remoteKeys,
    issuer: jwtIssuer,
    audience: jwtAudience,
    clockToleranceMs: config.jwtClockToleranceMs,
  });
  return createTokenAuthenticator({ verifier, allowAnonymous: config.allowAnonymous });
}

function createRemoteKeys(url: string, clock: Clock, logger: Logger): RemoteKeys {
  return new RemoteKeys({
    url,
    clock,
    onState({ keys, problem }) {
      if (problem === undefined) logger.info({ keys }, 'the keys for tokens can be reached again');
      else if (keys > 0)
        logger.warn({ keys, problem }, 'the keys for tokens cannot be reached: those at hand serve on');
      else
        logger.error({ problem }, 'the keys for tokens cannot be reached: clients with tokens are told to come again');
    },
  });
}
