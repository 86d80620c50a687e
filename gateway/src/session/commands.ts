/** The commands of the protocol: each translates a frame into what is done to channels, and the outcome into a reply. */
import type {
  HistoryFrame,
  Payload,
  PresenceFrame,
  PublishFrame,
  RefreshFrame,
  SubscribeFrame,
  UnsubscribeFrame,
} from '@fanfare/protocol';
import type { Action, ChannelGrant } from '../auth/authenticator.js';
import { isReached, type Published, type PublishOutcome } from '../broker/broker.js';
import { withExcept } from '../broker/extensions.js';
import type { NewMessage } from '../broker/record.js';
import type { Caller, Decision } from '../channels/access.js';
import type { Channels } from '../channels/channels.js';
import type { Clock } from '../clock.js';
import { FanfareError, toFanfareError } from '../errors.js';
import type { LeaveCause, Start } from '../hub/subscriber.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { Client, Command, CommandFrame } from './client.js';
import { expiry } from './expiry.js';

/** Runs one command, and is done once it is answered. An error that it throws is answered as an `error` frame. */
type CommandHandler<Frame extends CommandFrame> = (
  client: Client,
  frame: Frame,
  payload: Payload | undefined,
) => void | Promise<void>;

/** Handlers by the type of frame. A type without a handler is not available. */
export type CommandTable = {
  readonly [Type in CommandFrame['type']]?: CommandHandler<Extract<CommandFrame, { type: Type }>>;
};

interface CommandDependencies {
  readonly channels: Channels;
  readonly presence: PresenceCommands;
  readonly clock: Pick<Clock, 'wall'>;
  /** Called with faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}

/** The part of presence that commands use. */
interface PresenceCommands {
  /**
   * Makes a client that is about to subscribe a member. Resolves with `true` if it was no member before.
   * @param caller the client, with what a token for the channel gives it
   * @throws {FanfareError} `forbidden`
   */
  enter(client: Client, channel: ChannelPolicy, caller: Caller): Promise<boolean>;
  /** To be called when a client that entered did not get onto the channel, or has left it. */
  onLeft(client: Client, channel: string, cause: LeaveCause): void;
  /** Answers the command `presence`: who is on a channel. */
  answer(client: Client, frame: PresenceFrame): Promise<void>;
}

/** The commands that every gateway has; the composition root adds those of its other parts. */
export function createCommands(dependencies: CommandDependencies): CommandTable {
  const { channels, presence } = dependencies;
  return {
    subscribe: (client, frame) =>
      client.memberships.turns.subscribe(frame.channel, () => subscribe(client, frame, dependencies)),
    unsubscribe: (client, frame) => client.memberships.turns.run(frame.channel, async () => unsubscribe(client, frame)),
    publish: (client, frame, payload) => publish(client, frame, payload as Payload, channels),
    history: (client, frame) => history(client, frame, channels),
    presence: (client, frame) => presence.answer(client, frame),
    refresh: (client, frame) => refresh(client, frame, dependencies),
  };
}

/** Runs one command and resolves once it is answered, by its reply or by an `error` with its `id`. */
export async function runCommand(
  client: Client,
  { frame, payload }: Command,
  table: CommandTable,
  onFault: CommandDependencies['onFault'],
): Promise<void> {
  const { type, id } = frame;
  try {
    const handle = table[type] as CommandHandler<CommandFrame> | undefined;
    if (!handle) throw unavailable(type);
    await handle(client, frame, payload);
  } catch (error) {
    const failure = toFanfareError(error);
    if (failure.code === 'internal') onFault(`${type} failed`, error);
    client.replyError(id, failure);
  }
}

function unavailable(what: string): FanfareError {
  return new FanfareError('bad_request', `${what} is not available in this version`);
}

/**
 * The policy of the channel if the client may do this there. It is known at once, unless the application has to be
 * asked. @throws {FanfareError} if it is not allowed.
 */
function permitted(
  caller: Caller,
  action: Action,
  channel: string,
  { access }: Channels,
): ChannelPolicy | Promise<ChannelPolicy> {
  const decision = access.permit(caller, action, channel);
  return decision instanceof Promise ? decision.then(channelOf) : channelOf(decision);
}

function channelOf(decision: Decision): ChannelPolicy {
  if (decision instanceof FanfareError) throw decision;
  return decision;
}

/** A name that no channel has, under which the tokens of a connection have turns of their own. */
const TOKENS = '';

/**
 * Verifies a token of a connected client: one at a time, because verifying a token costs far more than sending one. A
 * client that brings bad tokens again and again is closed.
 */
async function verified<T>(client: Client, verify: () => T | Promise<T>): Promise<T> {
  let result: T | undefined;
  await client.memberships.turns.run(TOKENS, async () => {
    if (client.isClosed) throw new FanfareError('unauthorized', 'the connection has ended');
    try {
      result = await verify();
    } catch (error) {
      const { code } = toFanfareError(error);
      const isBad = code === 'unauthorized' || code === 'token_expired';
      if (isBad && client.guard.badToken()) client.close(4429, 'too many bad tokens');
      throw error;
    }
  });
  return result as T;
}

/** Reads what the token of a subscribe gives to this client. @throws {FanfareError} */
async function readGrant(client: Client, token: string): Promise<ChannelGrant> {
  const grant = await verified(client, () => client.readChannelToken(token));
  if (grant.user !== undefined && grant.user !== client.identity?.user) {
    throw new FanfareError('forbidden', 'the token of the channel is for another user');
  }
  return grant;
}

/** The client as a caller, together with what a channel token gives it. */
function withGrant({ entrance, identity, id }: Client, { grants }: ChannelGrant): Caller {
  return { entrance, identity, id, grantOn: () => grants };
}

async function subscribe(
  client: Client,
  frame: SubscribeFrame,
  { channels, clock, presence, onFault }: CommandDependencies,
): Promise<void> {
  const { id, channel } = frame;
  const { guard } = client;
  if (client.isClosed) return;
  const grant = frame.token === undefined ? undefined : await readGrant(client, frame.token);
  const caller = grant ? withGrant(client, grant) : client;
  const allowed = permitted(caller, 'subscribe', channel, channels);
  const policy = allowed instanceof Promise ? await allowed : allowed;
  if (client.isClosed) return;
  const start = startOf(frame);
  if (start && !policy.durable) throw new FanfareError('bad_request', 'a live channel has no past to start from');
  // What asking again later cannot change is said before what it can.
  client.memberships.checkRoom(channel, start);
  if (policy.durable) checkNewNames(client);
  const openingMs = client.channelWaitMs(channel);
  if (openingMs > 0) throw new FanfareError('rate_limited', 'too many channels at once', { retryAfterMs: openingMs });
  const hasEntered = frame.presence === true && (await presence.enter(client, policy, caller));
  if (client.isClosed) return;
  const subscribing = client.memberships.subscribe(policy, {
    start,
    presence: frame.presence === true,
    grant,
    onJoined({ position, recovered, reason }) {
      if (reason === 'unrecoverable') guard.resumedInVain();
      if (position?.offset === 0) guard.enteredNew();
      client.reply({
        type: 'subscribed',
        id,
        channel,
        durable: policy.durable,
        ...(position && { epoch: String(position.epoch), offset: position.offset }),
        ...(recovered !== undefined && { recovered }),
        ...(reason && { reason }),
        ...expiry(grant?.expiresAt, clock),
      });
    },
    onFailed(error) {
      const failure = toFanfareError(error);
      if (failure.code === 'internal') onFault('replay failed', error);
      client.reply({ type: 'unsubscribed', channel, code: failure.code, message: failure.message });
    },
  });
  try {
    await subscribing;
  } catch (error) {
    if (hasEntered) presence.onLeft(client, channel, 'failed');
    throw error;
  }
}

function startOf({ since, rewind, rewindMs }: SubscribeFrame): Start {
  if (since) return { since };
  if (rewind !== undefined) return { rewind };
  return rewindMs === undefined ? undefined : { rewindMs };
}

function unsubscribe(client: Client, { id, channel }: UnsubscribeFrame): void {
  client.memberships.unsubscribe(channel);
  client.reply({ type: 'unsubscribed', id, channel });
}

async function publish(
  client: Client,
  { id, channel, key, tags, durability, replicas, except }: PublishFrame,
  payload: Payload,
  channels: Channels,
): Promise<void> {
  // A client must not hide its messages from others.
  if (except !== undefined && except !== client.id) throw new FanfareError('forbidden', 'except is another session');
  const plain: NewMessage = { payload, user: client.identity?.user, key, tags };
  const message = except === undefined ? plain : withExcept(plain, except);
  const { publishing } = channels;
  const wanted = durability === 'replicated' ? (replicas ?? 'all') : undefined;
  const { policy, outcome } = await client.memberships.turns.publish(
    channel,
    // The permission is asked for in the command's turn: a subscribe before it may bring the token that allows it.
    () => publishing.permit(client, channel, message),
    async (permitted) => {
      const [one] = await publishing.publish(client, permitted.channel, [permitted.message], wanted);
      return { policy: permitted.channel, outcome: one as PublishOutcome };
    },
  );
  // Unforeseen faults were reported where they happened.
  if (outcome instanceof FanfareError) return client.replyError(id, outcome);
  const { position, duplicate, reached } = outcome as Published;
  client.replySoon({
    type: 'published',
    id,
    channel,
    ...(position && { epoch: String(position.epoch), offset: position.offset }),
    ...(duplicate && { duplicate }),
    ...(policy.durable && durability === 'stored' && { durability }),
    ...(wanted !== undefined &&
      reached && { durability: isReached(reached, wanted) ? 'replicated' : 'stored', ...reached }),
  });
}

async function history(client: Client, frame: HistoryFrame, channels: Channels): Promise<void> {
  const { id, channel, after, before, limit } = frame;
  const policy = await permitted(client, 'history', channel, channels);
  await client.memberships.turns.settled(channel);
  await client.writer.oneOfFew(async () => {
    if (client.isClosed) return;
    // The read fails fast, because a command that waits holds a place: a dead part of the store must not hold up other
    // channels.
    const onNew = () => {
      checkNewNames(client);
      client.guard.enteredNew();
    };
    const page = await channels.reading.history(policy, { after, before, limit: limit ?? 100, failFast: true, onNew });
    if (!page.ok) throw new FanfareError('bad_request', `${page.reason}: the position cannot be used`);
    const messages = page.messages.map(({ epoch, offset, prev, payload: data, time, user, key, tags }) => {
      return { epoch: String(epoch), offset, prev, data, time, user, key, tags };
    });
    const head = { epoch: String(page.head.epoch), offset: page.head.offset };
    await client.replyDrained({ type: 'history', id, channel, messages, more: page.more, head });
  });
}

/** @throws {FanfareError} `rate_limited` */
function checkNewNames({ guard }: Client): void {
  const retryAfterMs = guard.newNamesWaitMs();
  if (retryAfterMs === 0) return;
  throw new FanfareError('rate_limited', 'too many channels to which nobody has published', { retryAfterMs });
}

/** Takes a new token for the connection, or for one of its channels. */
async function refresh(client: Client, frame: RefreshFrame, dependencies: CommandDependencies): Promise<void> {
  if (frame.channel !== undefined) return refreshChannel(client, frame, frame.channel, dependencies);
  const { id, token } = frame;
  const identity = await verified(client, () => client.authenticate(token));
  if (client.isClosed) return;
  if (identity.user !== client.identity?.user) throw new FanfareError('forbidden', 'the token is for another user');
  client.reply({ type: 'refreshed', id, ...expiry(identity.expiresAt, dependencies.clock) });
  client.identify(identity);
}

async function refreshChannel(
  client: Client,
  { id, token }: RefreshFrame,
  channel: string,
  { clock }: CommandDependencies,
): Promise<void> {
  const grant = await readGrant(client, token);
  if (!grant.grants.allows('subscribe', channel))
    throw new FanfareError('forbidden', 'the token is for other channels');
  if (!client.memberships.renew(channel, grant)) throw new FanfareError('not_subscribed', 'not on that channel');
  client.reply({ type: 'refreshed', id, channel, ...expiry(grant.expiresAt, clock) });
}
