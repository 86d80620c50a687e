/**
 * Decides whether a caller may do something to a channel: the one place that does, whoever asks. The table of
 * docs/SECURITY.md says the same to people.
 */
import type { Application } from '../auth/application.js';
import type { Action, Grants, Identity } from '../auth/authenticator.js';
import type { NewMessage } from '../broker/record.js';
import { FanfareError } from '../errors.js';
import type { Access, ChannelPolicy, Namespaces } from '../namespaces.js';

/** Who asks for something, and by which way the request came in. */
export interface Caller {
  /**
   * The way in, such as `ws` or `http`. It is a label of counters, and listeners are told it. Each conversation and
   * each API has its own.
   */
  readonly entrance: string;
  /** Who the caller is; `undefined` once it is gone, when nothing is allowed any more. */
  readonly identity: Identity | undefined;
  /** Id of the caller's session, if it has one. */
  readonly id?: string;
  /** What else the caller may do on a channel, by the token that it gave when it subscribed there. */
  grantOn?(channel: string): Grants | undefined;
}

/** The channel with the settings of its namespace, or the error with which the caller is answered. */
export type Decision = ChannelPolicy | FanfareError;

export interface PermittedMessage {
  readonly channel: ChannelPolicy;
  /** The message as it was given, or as the application changed it. */
  readonly message: NewMessage;
}

type Judgement = 'allowed' | 'refused' | 'for the application to say';

export class ChannelAccess {
  readonly #namespaces: Namespaces;
  readonly #application: Application | undefined;

  /** @param application is asked where a namespace says `hook`; if it is absent, `hook` allows nobody */
  constructor(namespaces: Namespaces, application?: Application) {
    this.#namespaces = namespaces;
    this.#application = application;
  }

  /**
   * Decides for backends: returns the channel if the caller may do this to it. Otherwise it returns the error to answer
   * with: `unknown_channel`, `forbidden`, or `bad_request` if this kind of channel has no such thing. For clients there
   * is {@link permit}: what the application would have to be asked is `forbidden` here.
   * @param name a valid channel name; that is not checked here.
   */
  decide(caller: Caller, action: Action, name: string): Decision {
    const channel = this.#find(action, name);
    if (channel instanceof FanfareError) return channel;
    return judge(caller, action, channel) === 'allowed' ? channel : forbidden(action);
  }

  /** Whether the caller may not do this whatever the application would say. The application is not asked. */
  isRefused(caller: Caller, action: Action, name: string): boolean {
    const channel = this.#find(action, name);
    return channel instanceof FanfareError || judge(caller, action, channel) === 'refused';
  }

  /**
   * Decides for clients, like {@link decide} for backends, and asks the application where the namespace says so.
   * @throws {FanfareError} `unavailable`
   */
  permit(caller: Caller, action: Action, name: string): Decision | Promise<Decision> {
    const channel = this.#find(action, name);
    if (channel instanceof FanfareError) return channel;
    const verdict = judge(caller, action, channel);
    if (verdict === 'allowed') return channel;
    const { identity, id: session } = caller;
    if (verdict === 'refused' || !this.#application || !identity) return forbidden(action);
    const asked = this.#application.permits({ action, channel: name, identity, session });
    return asked.then((isAllowed) => (isAllowed ? channel : forbidden(action)));
  }

  /**
   * Decides about a message of a client, like {@link permit}. The application may change the message. @throws
   * {FanfareError} `unavailable`
   */
  permitMessage(
    caller: Caller,
    name: string,
    message: NewMessage,
  ): PermittedMessage | FanfareError | Promise<PermittedMessage | FanfareError> {
    const channel = this.#find('publish', name);
    if (channel instanceof FanfareError) return channel;
    const verdict = judge(caller, 'publish', channel);
    if (verdict === 'allowed') return { channel, message };
    const { identity, id: session } = caller;
    if (verdict === 'refused' || !this.#application || !identity) return forbidden('publish');
    const ruled = this.#application.rule({ action: 'publish', channel: name, identity, session }, message);
    return ruled.then((ruling) => (ruling ? { channel, message: ruling } : forbidden('publish')));
  }

  #find(action: Action, name: string): Decision {
    const channel = this.#namespaces.policy(name);
    if (!channel) return new FanfareError('unknown_channel', `the namespace of ${name} is not configured`);
    if (action === 'history' && !channel.durable)
      return new FanfareError('bad_request', 'a live channel has no history');
    if (action === 'presence' && !channel.presence)
      return new FanfareError('bad_request', 'the channel has no presence');
    return channel;
  }
}

function judge(caller: Caller, action: Action, channel: ChannelPolicy): Judgement {
  const { identity } = caller;
  if (!identity) return 'refused';
  const { user, isBackend, grants } = identity;
  const { name } = channel;
  const isGranted = () => grants.allows(action, name) || caller.grantOn?.(name)?.allows(action, name) === true;
  if (isBackend) return grants.allows(action, name) ? 'allowed' : 'refused';
  const isOpenTo: Readonly<Record<Exclude<Access, 'none' | 'hook'>, boolean>> = {
    token: false,
    owner: user !== undefined && user === ownerOf(name),
    authenticated: user !== undefined,
    anyone: true,
  };
  const rule = ruleOf(action, channel);
  if (rule === 'none') return 'refused';
  if (rule === 'hook') return 'for the application to say';
  return isOpenTo[rule] || isGranted() ? 'allowed' : 'refused';
}

/** The rule of a namespace for an action. History and presence have rules of their own, or else that of subscribing. */
function ruleOf(action: Action, { subscribe, publish, historyAccess, presenceAccess }: ChannelPolicy): Access {
  if (action === 'publish') return publish;
  if (action === 'history') return historyAccess ?? subscribe;
  return (action === 'presence' ? presenceAccess : undefined) ?? subscribe;
}

/** The user to whom a channel belongs by its name: `u1` for `user:u1`. */
function ownerOf(channel: string): string | undefined {
  const colon = channel.indexOf(':');
  return colon < 0 ? undefined : channel.slice(colon + 1);
}

function forbidden(action: Action): FanfareError {
  return new FanfareError('forbidden', `${action} is not allowed`);
}
