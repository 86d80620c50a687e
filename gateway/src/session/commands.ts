import type {
  ClientFrame,
  HistoryFrame,
  Payload,
  PublishFrame,
  RefreshFrame,
  ServerFrame,
  SubscribeFrame,
  UnsubscribeFrame,
} from '@fanfare/protocol';
import type { Action, Identity } from '../auth/authenticator.js';
import type { Published } from '../broker/broker.js';
import type { Caller } from '../channels/access.js';
import { oversize } from '../channels/publishing.js';
import { FanfareError, toFanfareError } from '../errors.js';
import type { Membership } from '../hub/channel.js';
import type { Member, Start } from '../hub/member.js';
import type { ChannelPolicy } from '../namespaces.js';
import type { ChannelTurns } from './channel-turns.js';
import type { SessionServices } from './services.js';

/** What a command needs of the connection that it came from. */
export interface Commander extends Member, Caller {
  identity: Identity | undefined;
  /** Nothing reaches the client any more. */
  readonly isClosed: boolean;
  /** Channels it is on or joining, by name. */
  readonly memberships: Map<string, Membership>;
  /** Order among its commands on one channel. */
  readonly turns: ChannelTurns;
  reply(frame: ServerFrame): void;
  /** Later in this turn, together with others. */
  replySoon(frame: ServerFrame): void;
  replyError(id: number | undefined, error: FanfareError): void;
  /** It subscribes or unsubscribes anew: a `lagged` to come need not name this channel. */
  forgetLag(channel: string): void;
  authenticate(token: string | undefined): Identity | Promise<Identity>;
}

/** A validated frame, its application data still raw. */
export interface Command {
  readonly frame: ClientFrame;
  readonly payload: Payload | undefined;
}

/** Runs one command and resolves once it is answered, by its reply or by an `error` with its `id`. */
export async function runCommand(
  caller: Commander,
  { frame, payload }: Command,
  services: SessionServices,
): Promise<void> {
  if (frame.type === 'pong') return;
  const { type, id } = frame;
  try {
    await run(caller, frame, payload, services);
  } catch (error) {
    const failure = toFanfareError(error);
    if (failure.code === 'internal') services.onFault(`${type} failed`, error);
    caller.replyError(id, failure);
  }
}

async function run(
  caller: Commander,
  frame: Exclude<ClientFrame, { type: 'pong' }>,
  payload: Payload | undefined,
  services: SessionServices,
): Promise<void> {
  switch (frame.type) {
    case 'connect':
      throw new FanfareError('bad_request', 'connected already');
    case 'subscribe':
      return caller.turns.run(frame.channel, () => subscribe(caller, frame, services));
    case 'unsubscribe':
      return caller.turns.run(frame.channel, async () => unsubscribe(caller, frame));
    case 'publish':
      return publish(caller, frame, payload as Payload, services);
    case 'history':
      return history(caller, frame, services);
    case 'refresh':
      return refresh(caller, frame);
    case 'presence':
      throw new FanfareError('bad_request', 'presence is not available in this version');
  }
}

/** @throws {FanfareError} if it is not allowed. */
function permitted(caller: Caller, channel: string, action: Action, { channels }: SessionServices): ChannelPolicy {
  const policy = channels.access.decide(caller, action, channel);
  if (policy instanceof FanfareError) throw policy;
  return policy;
}

async function subscribe(caller: Commander, frame: SubscribeFrame, services: SessionServices): Promise<void> {
  const { id, channel } = frame;
  if (caller.isClosed) return;
  const policy = permitted(caller, channel, 'subscribe', services);
  const start = startOf(frame);
  if (frame.presence) throw new FanfareError('bad_request', 'presence is not available in this version');
  if (start && !policy.durable) throw new FanfareError('bad_request', 'a live channel has no past to start from');
  const { memberships } = caller;
  const earlier = memberships.get(channel);
  if (earlier && !frame.since) throw new FanfareError('already_subscribed', 'on that channel already');
  if (!earlier && memberships.size >= services.limits.subscriptions) {
    throw new FanfareError('limit_exceeded', `on ${memberships.size} channels already`);
  }
  const membership = services.hub.enter(policy, caller);
  earlier?.leave();
  memberships.set(channel, membership);
  caller.forgetLag(channel);
  // Answered is this command once the client stands somewhere; the replay goes on.
  return new Promise((resolve, reject) => {
    let answered = false;
    const fail = (error: unknown) => {
      membership.leave();
      if (memberships.get(channel) === membership) memberships.delete(channel);
      if (!answered) {
        reject(error);
        return;
      }
      const failure = toFanfareError(error);
      if (failure.code === 'internal') services.onFault('replay failed', error);
      caller.reply({ type: 'unsubscribed', channel, code: failure.code, message: failure.message });
    };
    membership.channel
      .join(membership, start, ({ position, recovered, reason }) => {
        answered = true;
        caller.reply({
          type: 'subscribed',
          id,
          channel,
          durable: policy.durable,
          ...(position && { epoch: String(position.epoch), offset: position.offset }),
          ...(recovered !== undefined && { recovered }),
          ...(reason && { reason }),
        });
        resolve();
      })
      // Unanswered means that the connection has ended meanwhile.
      .then(resolve, fail);
  });
}

function startOf({ since, rewind, rewindMs }: SubscribeFrame): Start {
  if (since) return { since };
  if (rewind !== undefined) return { rewind };
  return rewindMs === undefined ? undefined : { rewindMs };
}

function unsubscribe(caller: Commander, { id, channel }: UnsubscribeFrame): void {
  caller.memberships.get(channel)?.leave();
  caller.memberships.delete(channel);
  caller.forgetLag(channel);
  caller.reply({ type: 'unsubscribed', id, channel });
}

async function publish(
  caller: Commander,
  { id, channel, key, tags, durability }: PublishFrame,
  payload: Payload,
  services: SessionServices,
): Promise<void> {
  const policy = permitted(caller, channel, 'publish', services);
  const tooLarge = oversize(policy, payload);
  if (tooLarge) throw tooLarge;
  const message = { payload, user: caller.identity?.user, key, tags };
  const { turns } = caller;
  const [outcome] = await turns.publish(channel, () =>
    services.channels.publishing.publish(caller, policy, [message], durability),
  );
  // An unforeseen fault was reported where it happened.
  if (outcome instanceof FanfareError) return caller.replyError(id, outcome);
  const published = outcome as Published;
  const { position, duplicate, replicas, durability: reached = policy.durable ? durability : undefined } = published;
  caller.replySoon({
    type: 'published',
    id,
    channel,
    ...(position && { epoch: String(position.epoch), offset: position.offset }),
    ...(duplicate && { duplicate }),
    ...(reached && { durability: reached }),
    ...(replicas !== undefined && { replicas }),
  });
}

async function history(caller: Commander, frame: HistoryFrame, services: SessionServices): Promise<void> {
  const { id, channel, after, before, limit } = frame;
  const policy = permitted(caller, channel, 'history', services);
  await caller.turns.settled(channel);
  await caller.oneOfFew(async () => {
    if (caller.isClosed) return;
    const page = await services.channels.reading.history(policy, { after, before, limit: limit ?? 100 });
    if (!page.ok) throw new FanfareError('bad_request', `${page.reason}: the position cannot be used`);
    const messages = page.messages.map((message) => ({ ...message, epoch: String(message.epoch) }));
    const wire = caller.dialect.encodeHistory(id, channel, messages, page.more);
    // Too large to wait among the replies of a socket that lags: sent like a replay.
    do {
      await caller.drained();
    } while (!caller.sendReplayed(wire) && !caller.isClosed);
  });
}

async function refresh(caller: Commander, { id, token }: RefreshFrame): Promise<void> {
  const identity = await caller.authenticate(token);
  if (caller.isClosed) return;
  caller.identity = identity;
  const { expiresAt } = identity;
  caller.reply({ type: 'refreshed', id, ...(expiresAt !== undefined && { expires: expiresAt }) });
}
