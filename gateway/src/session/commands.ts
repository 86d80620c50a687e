import type {
  ClientFrame,
  HistoryFrame,
  Payload,
  PublishFrame,
  RefreshFrame,
  SubscribeFrame,
  UnsubscribeFrame,
} from '@fanfare/protocol';
import type { Action } from '../auth/authenticator.js';
import { FanfareError, toFanfareError } from '../errors.js';
import { readHistory } from '../hub/history.js';
import type { Start } from '../hub/member.js';
import type { ChannelPolicy } from '../namespaces.js';
import { count } from '../stats.js';
import type { SessionServices } from './services.js';
import type { Session } from './session.js';

/** A validated frame, its application data still raw. */
export interface Command {
  readonly frame: ClientFrame;
  readonly payload: Payload | undefined;
}

/** Runs one command; every one is answered, by its reply or by an `error` with its `id`. */
export function runCommand(session: Session, { frame, payload }: Command, services: SessionServices): void {
  if (frame.type === 'pong') return;
  run(session, frame, payload, services).catch((error) => {
    const failure = toFanfareError(error);
    if (failure.code === 'internal') services.onFault(`${frame.type} failed`, error);
    session.replyError(frame.id, failure);
  });
}

async function run(
  session: Session,
  frame: Exclude<ClientFrame, { type: 'pong' }>,
  payload: Payload | undefined,
  services: SessionServices,
): Promise<void> {
  switch (frame.type) {
    case 'connect':
      throw new FanfareError('bad_request', 'connected already');
    case 'subscribe':
      return subscribe(session, frame, services);
    case 'unsubscribe':
      return unsubscribe(session, frame);
    case 'publish':
      return publish(session, frame, payload as Payload, services);
    case 'history':
      return history(session, frame, services);
    case 'refresh':
      return refresh(session, frame);
    case 'presence':
      throw new FanfareError('bad_request', 'presence is not available in this version');
  }
}

function permitted(session: Session, channel: string, action: Action, services: SessionServices): ChannelPolicy {
  const policy = services.namespaces.policy(channel);
  if (!policy) throw new FanfareError('unknown_channel', 'the namespace of the channel is not configured');
  if (!session.identity?.allows(action, policy)) throw new FanfareError('forbidden', `${action} is not allowed`);
  return policy;
}

async function subscribe(session: Session, frame: SubscribeFrame, services: SessionServices): Promise<void> {
  const { id, channel } = frame;
  const policy = permitted(session, channel, 'subscribe', services);
  const start = startOf(frame);
  if (frame.presence) throw new FanfareError('bad_request', 'presence is not available in this version');
  if (start && !policy.durable) throw new FanfareError('bad_request', 'a live channel has no past to start from');
  const { memberships } = session;
  const earlier = memberships.get(channel);
  if (earlier && !frame.since) throw new FanfareError('already_subscribed', 'on that channel already');
  if (!earlier && memberships.size >= services.limits.subscriptions) {
    throw new FanfareError('limit_exceeded', `on ${memberships.size} channels already`);
  }
  const membership = services.hub.enter(policy, session);
  earlier?.leave();
  memberships.set(channel, membership);
  session.forgetLag(channel);
  let answered = false;
  try {
    await membership.channel.join(membership, start, ({ position, recovered, reason }) => {
      answered = true;
      session.reply({
        type: 'subscribed',
        id,
        channel,
        durable: policy.durable,
        ...(position && { epoch: String(position.epoch), offset: position.offset }),
        ...(recovered !== undefined && { recovered }),
        ...(reason && { reason }),
      });
    });
    if (!answered) throw new FanfareError('not_subscribed', 'unsubscribed before it was joined');
  } catch (error) {
    membership.leave();
    if (memberships.get(channel) === membership) memberships.delete(channel);
    if (!answered) throw error;
    const failure = toFanfareError(error);
    if (failure.code === 'internal') services.onFault('replay failed', error);
    session.reply({ type: 'unsubscribed', channel, code: failure.code, message: failure.message });
  }
}

function startOf({ since, rewind, rewindMs }: SubscribeFrame): Start {
  if (since) return { since };
  if (rewind !== undefined) return { rewind };
  return rewindMs === undefined ? undefined : { rewindMs };
}

function unsubscribe(session: Session, { id, channel }: UnsubscribeFrame): void {
  session.memberships.get(channel)?.leave();
  session.memberships.delete(channel);
  session.forgetLag(channel);
  session.reply({ type: 'unsubscribed', id, channel });
}

async function publish(
  session: Session,
  { id, channel, key, tags, durability }: PublishFrame,
  payload: Payload,
  services: SessionServices,
): Promise<void> {
  const policy = permitted(session, channel, 'publish', services);
  if (payload.bytes.length > policy.maxMessageBytes) {
    throw new FanfareError('too_large', `message of ${payload.bytes.length} bytes is over ${policy.maxMessageBytes}`);
  }
  const message = { payload, user: session.identity?.user, key, tags };
  const [outcome] = await services.broker.publish(policy, [message], durability && { durability });
  const { stats } = services;
  if (outcome === undefined || outcome instanceof Error) {
    count(stats.publishFailures, toFanfareError(outcome).code);
    throw outcome ?? new Error('the broker gave no outcome');
  }
  if (outcome.duplicate) stats.duplicates++;
  else if (policy.durable) stats.publishedDurableWs++;
  else stats.publishedLiveWs++;
  const { position, duplicate, replicas, durability: reached } = outcome;
  session.reply({
    type: 'published',
    id,
    channel,
    ...(position && { epoch: String(position.epoch), offset: position.offset }),
    ...(duplicate && { duplicate }),
    ...(reached && { durability: reached }),
    ...(replicas !== undefined && { replicas }),
  });
}

async function history(session: Session, frame: HistoryFrame, services: SessionServices): Promise<void> {
  const { id, channel, after, before, limit } = frame;
  const policy = permitted(session, channel, 'history', services);
  if (!policy.durable) throw new FanfareError('bad_request', 'a live channel has no history');
  const page = await readHistory(services.broker, policy, { after, before, limit: limit ?? 100 });
  if (!page.ok) throw new FanfareError('bad_request', `${page.reason}: the position cannot be used`);
  const messages = page.messages.map((message) => ({ ...message, epoch: String(message.epoch) }));
  const wire = session.dialect.encodeHistory(id, channel, messages, page.more);
  // Too large to wait among the replies of a socket that lags: sent like a replay.
  do {
    await session.drained();
  } while (!session.sendReplayed(wire) && session.identity);
}

async function refresh(session: Session, { id, token }: RefreshFrame): Promise<void> {
  session.identity = await session.authenticate(token);
  const { expiresAt } = session.identity;
  session.reply({ type: 'refreshed', id, ...(expiresAt !== undefined && { expires: expiresAt }) });
}
