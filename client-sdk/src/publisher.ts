/** Publishing from a backend over HTTP, with no connection to keep: {@link createPublisher}. */
export type { Outcome } from './backend/publish-queue.js';
export {
  type BasePublisher,
  createPublisher,
  type Prepared,
  type PreparedOf,
  type PublisherOptions,
  type PublishOptions,
  type TypedPublisher,
  type UntypedPublisher,
} from './backend/publisher.js';
export { type ClientErrorCode, FanfareClientError, isFanfareError } from './errors.js';
export type { MessageOptions, PublishResult } from './publishing.js';
