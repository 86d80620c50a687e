/** The authenticator of a gateway that asks the application who its clients are. */
import { FanfareError } from '../errors.js';
import type { Application } from './application.js';
import type { Authenticator } from './authenticator.js';

export function createHookAuthenticator(application: Application): Authenticator {
  return {
    async authenticate({ token, remoteAddress }) {
      const identity = await application.identify(token, remoteAddress);
      if (!identity) throw new FanfareError('unauthorized', 'the application refused the connection');
      return identity;
    },
    async readChannelToken() {
      throw new FanfareError('unauthorized', 'this gateway has no token verifier');
    },
  };
}
