export type {
  ClientFrame,
  ConnectedFrame,
  Dialect,
  Durability,
  Frame,
  Position,
  ResetReason,
  ServerFrame,
  Tags,
  Wire,
} from '@fanfare/protocol';
export { formatPosition, parsePosition } from '@fanfare/protocol';
export { jsonDialect } from '@fanfare/protocol/json';
export type { BackoffOptions } from './backoff.js';
export type { Channel, HistoryOptions, HistoryPage, SubscribeOptions } from './channel.js';
export { type Client, type ClientEvents, createClient } from './client.js';
export type { ClientOptions } from './client-options.js';
export type { Cancel, Clock } from './clock.js';
export type { ConnectionState, StateChange, Token } from './connection.js';
export { type ClientErrorCode, FanfareClientError, type FanfareClientErrorOptions } from './errors.js';
export type {
  DurableMessage,
  LaggedEvent,
  Message,
  RecoveredEvent,
  ResetEvent,
  SubscribedEvent,
} from './message.js';
export type { PublishOptions, PublishResult } from './publisher.js';
export type { Stats } from './stats.js';
export type { Subscription, SubscriptionEvents, SubscriptionState } from './subscription.js';
export { defaultSocket } from './transport/default-socket.js';
export { nativeSocket } from './transport/native-socket.js';
export { nodeSocket } from './transport/node-socket.js';
export type { Socket, SocketFactory, SocketHandlers, SocketRequest } from './transport/socket.js';
