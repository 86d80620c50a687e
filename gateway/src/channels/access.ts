/** Decides whether a caller may do something to a channel: the one place that does, whoever asks. */
import type { Action, Identity } from '../auth/authenticator.js';
import { FanfareError } from '../errors.js';
import type { ChannelPolicy, Namespaces } from '../namespaces.js';

/** Who asks for something, and by which way the request came in. */
export interface Caller {
  /** The way in, such as `ws` or `http`: a label of counters, told to listeners. Each conversation and each API has its own. */
  readonly entrance: string;
  /** `undefined` once nobody is there any more: nothing is allowed then. */
  readonly identity: Identity | undefined;
}

export class ChannelAccess {
  readonly #namespaces: Namespaces;

  constructor(namespaces: Namespaces) {
    this.#namespaces = namespaces;
  }

  /**
   * The channel with the settings of its namespace if the caller may do this to it, else the error to answer with:
   * `unknown_channel`, `forbidden`, or `bad_request` where this kind of channel has no such thing.
   * @param name a valid channel name; that is not checked here.
   */
  decide(caller: Caller, action: Action, name: string): ChannelPolicy | FanfareError {
    const channel = this.#namespaces.policy(name);
    if (!channel) return new FanfareError('unknown_channel', `the namespace of ${name} is not configured`);
    if (!caller.identity?.allows(action, channel)) return new FanfareError('forbidden', `${action} is not allowed`);
    if (action === 'presence' && !channel.presence) {
      return new FanfareError('bad_request', 'the namespace has no presence');
    }
    if (action === 'history' && !channel.durable) {
      return new FanfareError('bad_request', 'a live channel has no history');
    }
    return channel;
  }
}
