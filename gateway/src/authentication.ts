/** Puts together who tells clients apart: tokens verified here, the application, or nobody. */
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
  /** Asked where a namespace says `hook`; absent: nobody is. */
  readonly application: Application | undefined;
}

export function createAuthentication(config: Config, clock: Clock, logger: Logger): Authentication {
  const application = createApplication(config, clock, logger);
  if (verifiesTokens(config)) return { application, authenticator: createJwtAuthenticator(config, clock, logger) };
  if (application) return { application, authenticator: createHookAuthenticator(application) };
  // In development a page may bring the token that it will need later.
  const tokens = config.mode === 'development' ? 'ignored' : 'refused';
  return { application, authenticator: createOpenAuthenticator({ tokens }) };
}

function createApplication({ auth: { hook } }: Config, clock: Clock, logger: Logger): Application | undefined {
  const { url, secret, timeoutMs, cacheMs } = hook;
  if (url === undefined) return undefined;
  const onState = (problem: string | undefined) => {
    if (problem === undefined) logger.info({}, 'the application answers again');
    else logger.error({ problem }, 'the application does not answer: clients that need it are told to come again');
  };
  return createHook({ url, secret, timeoutMs, cacheMs, clock, onState });
}

function createJwtAuthenticator(config: Config, clock: Clock, logger: Logger): Authenticator {
  const { jwtSecret, jwtPreviousSecret, jwtPublicKey, jwtJwksUrl, jwtIssuer, jwtAudience } = config;
  const verifier = createTokenVerifier({
    clock,
    secrets: [jwtSecret, jwtPreviousSecret].filter((secret) => secret !== undefined),
    publicKeys: jwtPublicKey === undefined ? [] : parsePublicKeys(jwtPublicKey),
    remoteKeys: jwtJwksUrl === undefined ? undefined : createRemoteKeys(jwtJwksUrl, clock, logger),
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
