/** Reads and checks the body of `POST /v1/publish`, in its three forms. */
import {
  type Durability,
  isChannelName,
  MalformedFrameError,
  type Payload,
  type RawFrame,
  type ReplicasWanted,
  type Tags,
} from '@fanfare/protocol';
import { parsePublishBody } from '@fanfare/protocol/raw';
import { isDurability, isKey, isReplicasWanted, isTags, REPLICAS_WANTED } from '@fanfare/protocol/validate';
import { withExcept } from '../broker/extensions.js';
import type { NewMessage } from '../broker/record.js';
import { oversize } from '../channels/publishing.js';
import { FanfareError } from '../errors.js';
import type { ChannelPolicy } from '../namespaces.js';
import { readName } from './name.js';

/** Most items in `messages`, and most names in `channels`. */
export const MAX_BATCH = 1000;

/** The fields of a message that may stand beside `data`. */
const OF_A_MESSAGE = ['key', 'tags', 'durability', 'replicas', 'user', 'except'] as const;

/** One message for one channel, which has been checked. */
export interface PublishItem {
  readonly channel: ChannelPolicy;
  readonly message: NewMessage;
  readonly safety: Safety;
}

/** How safe a message has to be before it is answered. */
interface Safety {
  /** The durability that was asked for, if any. */
  readonly durability: Durability | undefined;
  /** The replicas that the message waits for; `undefined`: for none. */
  readonly replicas: ReplicasWanted | undefined;
}

export type PublishRequest =
  | { readonly one: PublishItem }
  /** Several messages in the order given. Each is answered on its own. */
  | { readonly many: readonly (PublishItem | FanfareError)[] };

/** Returns the channel of this name if the caller may publish to it, otherwise the error that says why not. */
type Decide = (name: string) => ChannelPolicy | FanfareError;

/**
 * @throws {MalformedFrameError} if the body is no JSON object
 * @throws {FanfareError} if the request as a whole, or its only message, cannot be taken
 */
export function readPublishRequest(body: Uint8Array, decide: Decide): PublishRequest {
  const channels = new ChannelFinder(decide);
  const { fields, payload, messages } = parsePublishBody(body);
  const forms = Number(fields.channel !== undefined) + Number(fields.channels !== undefined);
  if (messages === undefined && fields.messages === undefined) {
    if (forms !== 1) throw invalid('give one of channel, channels, messages');
    if (fields.channels !== undefined) return { many: readChannels(fields, payload, channels) };
    return { one: readItem(fields, payload, channels) };
  }
  if (messages === undefined) throw invalid('messages must be an array');
  if (forms > 0 || payload || OF_A_MESSAGE.some((field) => fields[field] !== undefined))
    throw invalid('with messages, all else stands in its items');
  if (messages.length > MAX_BATCH) throw invalid(`messages has more than ${MAX_BATCH} items`);
  return { many: messages.map((item) => readBatchItem(item, channels)) };
}

function readBatchItem(item: RawFrame | MalformedFrameError, channels: ChannelFinder): PublishItem | FanfareError {
  if (item instanceof MalformedFrameError) return invalid(item.message);
  return attempt(() => readItem(item.fields, item.payload, channels));
}

function readChannels(
  fields: RawFrame['fields'],
  payload: Payload | undefined,
  channels: ChannelFinder,
): (PublishItem | FanfareError)[] {
  const names = fields.channels;
  if (!Array.isArray(names)) throw invalid('channels must be an array of channel names');
  if (names.length > MAX_BATCH) throw invalid(`channels has more than ${MAX_BATCH} names`);
  const { message, safety } = readMessage(fields, payload);
  return names.map((name: unknown) => attempt(() => itemFor(name, message, safety, channels)));
}

function readItem(fields: RawFrame['fields'], payload: Payload | undefined, channels: ChannelFinder): PublishItem {
  const { message, safety } = readMessage(fields, payload);
  return itemFor(fields.channel, message, safety, channels);
}

function itemFor(name: unknown, message: NewMessage, safety: Safety, channels: ChannelFinder): PublishItem {
  return { channel: channels.find(name, message.payload), message, safety };
}

function readMessage(fields: RawFrame['fields'], payload: Payload | undefined) {
  const { key, tags, user, except } = fields;
  if (payload === undefined) throw invalid('data is missing');
  if (key !== undefined && !isKey(key)) throw invalid('key must be 1 to 128 bytes of text');
  if (tags !== undefined && !isTags(tags)) throw invalid('tags must map short texts to short texts');
  const plain: NewMessage = {
    payload,
    user: user === undefined ? undefined : readName('user', user),
    key: key as string | undefined,
    tags: tags as Tags | undefined,
  };
  const message = except === undefined ? plain : withExcept(plain, readName('except', except));
  return { message, safety: readSafety(fields) };
}

function readSafety({ durability, replicas }: RawFrame['fields']): Safety {
  if (durability !== undefined && !isDurability(durability)) throw invalid('durability must be stored or replicated');
  if (replicas !== undefined && !isReplicasWanted(replicas)) throw invalid(`replicas must be ${REPLICAS_WANTED.is}`);
  if (durability === 'replicated') return { durability, replicas: replicas ?? 'all' };
  if (replicas !== undefined) throw invalid('replicas needs durability replicated');
  return { durability, replicas: undefined };
}

/** Looks up each channel of a request only once, since a batch may name the same one many times. */
class ChannelFinder {
  readonly #decide: Decide;
  readonly #found = new Map<unknown, ChannelPolicy>();

  constructor(decide: Decide) {
    this.#decide = decide;
  }

  /** @throws {FanfareError} if the caller may not publish there, or if the channel does not take this payload */
  find(name: unknown, payload: Payload): ChannelPolicy {
    const channel = this.#found.get(name) ?? this.#lookUp(name);
    const failure = oversize(channel, payload);
    if (failure) throw failure;
    return channel;
  }

  #lookUp(name: unknown): ChannelPolicy {
    if (!isChannelName(name)) throw invalid('channel must be a channel name');
    const channel = this.#decide(name);
    if (channel instanceof FanfareError) throw channel;
    this.#found.set(name, channel);
    return channel;
  }
}

function attempt<Value>(read: () => Value): Value | FanfareError {
  try {
    return read();
  } catch (error) {
    if (error instanceof FanfareError) return error;
    throw error;
  }
}

function invalid(message: string): FanfareError {
  return new FanfareError('bad_request', message);
}
