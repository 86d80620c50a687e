/** The client: {@link createClient} connects, {@link defineChannels} declares what there is to subscribe to and to publish on. */
export type {
  ClientFrame,
  CloseName,
  ConnectedFrame,
  Dialect,
  Durability,
  ErrorCode,
  Frame,
  Position,
  ReplicasWanted,
  ResetReason,
  ServerFrame,
  Tags,
  Wire,
} from '@fanfare/protocol';
export { formatPosition, parsePosition } from '@fanfare/protocol';
export { compactDialect } from '@fanfare/protocol/compact';
export { jsonDialect } from '@fanfare/protocol/json';
export type { BackoffOptions } from './backoff.js';
export type { ChannelState, Snapshot, StateOptions, StateStatus, StateView } from './channel-state.js';
export type {
  Channel,
  ChannelByKind,
  DurableChannel,
  HistoryOptions,
  HistoryPage,
  LiveChannel,
  LiveSubscribeOptions,
  PresenceOptions,
  Published,
  PublishOptionsOf,
  StreamChannel,
  SubscribeOptions,
} from './channel-types.js';
export { type CheckMap, defineChannels, durable, live, type SpecOptions, stream } from './channels/define.js';
export type { ChannelName, KeyOf, NameOf } from './channels/patterns.js';
export type { SpecIn, StreamName } from './channels/resolve.js';
export type {
  AnySpec,
  ChannelSpec,
  InOf,
  Kind,
  Live,
  NoTags,
  OutOf,
  SpecOf,
  StateOf,
  TagRules,
  TagsOf,
} from './channels/spec.js';
export type { AnySchema, InputOf, Issue, OutputOf, StandardSchema } from './channels/standard-schema.js';
export { createClient } from './client.js';
export type { ClientOptions } from './client-options.js';
export type { BaseClient, Client, ClientEvents, TypedClient, Untyped, UntypedClient } from './client-types.js';
export type { Cancel, Clock } from './clock.js';
export type { ConnectionState, StateChange, Token } from './connection.js';
export { type ClientErrorCode, FanfareClientError, type FanfareClientErrorOptions, isFanfareError } from './errors.js';
export type {
  DurableMessage,
  InvalidEvent,
  LaggedEvent,
  LiveMessage,
  Message,
  MessageOf,
  OwnTags,
  RecoveredEvent,
  ResetEvent,
  SubscribedEvent,
} from './message.js';
export type { Commit, Positions } from './positions/named.js';
export type { AskedPresence, InfoOf, Presence, PresenceEvents, PresenceIf, PresentMember } from './presence.js';
export type { PublishOptions, PublishResult } from './publishing.js';
export type { Stats } from './stats.js';
export type {
  DurableEvents,
  LiveEvents,
  Reading,
  Subscription,
  SubscriptionEvents,
  SubscriptionState,
  Told,
} from './subscription-types.js';
export { defaultSocket } from './transport/default-socket.js';
export { nativeSocket } from './transport/native-socket.js';
export { nodeSocket } from './transport/node-socket.js';
export type { Socket, SocketFactory, SocketHandlers, SocketRequest } from './transport/socket.js';
