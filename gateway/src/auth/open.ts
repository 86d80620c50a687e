/**
 * The authenticator of a gateway without a token verifier: everyone is anonymous, and may do what a
 * namespace opens to `anyone`.
 */
import { FanfareError } from '../errors.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { Action, Authenticator, Identity } from './authenticator.js';

export interface OpenAuthenticatorOptions {
  /**
   * What happens to a token that nobody here can verify: ignored (development), or refused as
   * `unauthorized`, so that a client does not believe it was recognised (production).
   */
  readonly tokens: 'ignored' | 'refused';
}

export function createOpenAuthenticator(options: OpenAuthenticatorOptions): Authenticator {
  return {
    authenticate({ token }) {
      if (token && options.tokens === 'refused') {
        throw new FanfareError('unauthorized', 'this gateway has no token verifier');
      }
      return anonymous;
    },
  };
}

const anonymous: Identity = { allows: anyoneMay };

/** Who may subscribe may also read the history and, where the namespace has it, the presence. */
function anyoneMay(action: Action, channel: ChannelPolicy): boolean {
  if (action === 'publish') return channel.publish === 'anyone';
  if (action === 'presence' && !channel.presence) return false;
  return channel.subscribe === 'anyone';
}
