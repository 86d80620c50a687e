/** What is on channels as stores that any framework can read: begun with the first listener, told at most once a frame. */
export type { Store } from './store/lazy-store.js';
export {
  type ChannelStateView,
  type ConnectionView,
  channelStateStore,
  connectionStore,
  type LatestOptions,
  latestStore,
  type MessagesOptions,
  type MessagesStore,
  type MessagesView,
  messagesStore,
  type PresenceView,
  presenceStore,
  type ReadableChannel,
  type SubscriptionView,
  subscriptionStore,
} from './store/stores.js';
