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
import type { Action } from '../auth/authenticator.js';
import type { Published } from '../broker/broker.js';
import type { Channels } from '../channels/channels.js';
import { oversize } from '../channels/publishing.js';
import { FanfareError, toFanfareError } from '../errors.js';
import type { Start } from '../hub/member.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { Client, Command, CommandFrame } from './client.js';
import type { LeaveCause } from './memberships.js';

/** Runs one command; done once it is answered. What it throws is answered as an `error`. */
type CommandHandler<Frame extends CommandFrame> = (
  client: Client,
  frame: Frame,
  payload: Payload | undefined,
) => void | Promise<void>;

/** Handlers by the type of frame; a type without one is not available. */
export type CommandTable = {
  readonly [Type in CommandFrame['type']]?: CommandHandler<Extract<CommandFrame, { type: Type }>>;
};

export interface CommandDependencies {
  readonly channels: Channels;
  readonly presence: PresenceCommands;
  /** Told of faults that should not happen. */
  readonly onFault: (message: string, error?: unknown) => void;
}

/** What commands do with presence. */
export interface PresenceCommands {
  /**
   * Makes a client that is about to subscribe a member. Resolves with whether it was none before.
   * @throws {FanfareError} `forbidden`
   */
  enter(client: Client, channel: ChannelPolicy): Promise<boolean>;
  /** It did not get onto the channel. */
  onLeft(client: Client, channel: string, cause: LeaveCause): void;
  /** Answers who is there. */
  answer(client: Client, frame: PresenceFrame): Promise<void>;
}

/** The commands that every gateway has; the composition root adds those of its other parts. */
export function createCommands(dependencies: CommandDependencies): CommandTable {
  const { channels, presence } = dependencies;
  return {
    subscribe: (client, frame) =>
      client.memberships.turns.run(frame.channel, () => subscribe(client, frame, dependencies)),
    unsubscribe: (client, frame) => client.memberships.turns.run(frame.channel, async () => unsubscribe(client, frame)),
    publish: (client, frame, payload) => publish(client, frame, payload as Payload, channels),
    history: (client, frame) => history(client, frame, channels),
    presence: (client, frame) => presence.answer(client, frame),
    refresh,
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

/** @throws {FanfareError} if it is not allowed. */
function permitted(client: Client, action: Action, channel: string, { access }: Channels): ChannelPolicy {
  const policy = access.decide(client, action, channel);
  if (policy instanceof FanfareError) throw policy;
  return policy;
}

async function subscribe(
  client: Client,
  frame: SubscribeFrame,
  { channels, presence, onFault }: CommandDependencies,
): Promise<void> {
  const { id, channel } = frame;
  if (client.isClosed) return;
  const policy = permitted(client, 'subscribe', channel, channels);
  const start = startOf(frame);
  if (start && !policy.durable) throw new FanfareError('bad_request', 'a live channel has no past to start from');
  const hasEntered = frame.presence === true && (await presence.enter(client, policy));
  if (client.isClosed) return;
  const subscribing = client.memberships.subscribe(policy, {
    start,
    presence: frame.presence === true,
    onJoined({ position, recovered, reason }) {
      client.reply({
        type: 'subscribed',
        id,
        channel,
        durable: policy.durable,
        ...(position && { epoch: String(position.epoch), offset: position.offset }),
        ...(recovered !== undefined && { recovered }),
        ...(reason && { reason }),
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
  { id, channel, key, tags, durability }: PublishFrame,
  payload: Payload,
  channels: Channels,
): Promise<void> {
  const policy = permitted(client, 'publish', channel, channels);
  const tooLarge = oversize(policy, payload);
  if (tooLarge) throw tooLarge;
  const message = { payload, user: client.identity?.user, key, tags };
  const [outcome] = await client.memberships.turns.publish(channel, () =>
    channels.publishing.publish(client, policy, [message], durability),
  );
  // An unforeseen fault was reported where it happened.
  if (outcome instanceof FanfareError) return client.replyError(id, outcome);
  const published = outcome as Published;
  const { position, duplicate, replicas, durability: reached = policy.durable ? durability : undefined } = published;
  client.replySoon({
    type: 'published',
    id,
    channel,
    ...(position && { epoch: String(position.epoch), offset: position.offset }),
    ...(duplicate && { duplicate }),
    ...(reached && { durability: reached }),
    ...(replicas !== undefined && { replicas }),
  });
}

async function history(client: Client, frame: HistoryFrame, channels: Channels): Promise<void> {
  const { id, channel, after, before, limit } = frame;
  const policy = permitted(client, 'history', channel, channels);
  await client.memberships.turns.settled(channel);
  const { writer } = client;
  await writer.oneOfFew(async () => {
    if (client.isClosed) return;
    // While it waits its place is taken: a dead part of the store must not hold up the channels of the others.
    const page = await channels.reading.history(policy, { after, before, limit: limit ?? 100, failFast: true });
    if (!page.ok) throw new FanfareError('bad_request', `${page.reason}: the position cannot be used`);
    const messages = page.messages.map((message) => ({ ...message, epoch: String(message.epoch) }));
    const wire = client.dialect.encodeHistory(id, channel, messages, page.more);
    // Too large to wait among the replies of a socket that lags: sent like a replay.
    do {
      await writer.drained();
    } while (!writer.sendReplayed(wire) && !client.isClosed);
  });
}

async function refresh(client: Client, { id, token }: RefreshFrame): Promise<void> {
  const identity = await client.authenticate(token);
  if (client.isClosed) return;
  client.identify(identity);
  const { expiresAt } = identity;
  client.reply({ type: 'refreshed', id, ...(expiresAt !== undefined && { expires: expiresAt }) });
}
