/**
 * Everything that can be done to a channel, put together for those who translate requests: sessions and the HTTP API.
 */
import type { Application } from '../auth/application.js';
import type { Broker } from '../broker/broker.js';
import type { Namespaces } from '../namespaces.js';
import type { Stats } from '../stats.js';
import { ChannelAccess } from './access.js';
import { createPublishCounter } from './publish-counter.js';
import { Publishing, type PublishListener } from './publishing.js';
import { Reading } from './reading.js';

export interface Channels {
  readonly access: ChannelAccess;
  readonly publishing: Publishing;
  readonly reading: Reading;
}

interface ChannelsOptions {
  readonly broker: Pick<Broker, 'publish' | 'read'>;
  readonly namespaces: Namespaces;
  /** The application that is asked where a namespace says `hook`. Default: none. */
  readonly application?: Application | undefined;
  readonly stats: Stats;
  /** `undefined` while there is room to send; otherwise a promise for when there is, as in `PublishingOptions`. */
  readonly room: () => Promise<void> | undefined;
  /** Listeners to publishes, besides the counters. Default: none. */
  readonly listeners?: readonly PublishListener[];
  readonly onFault: (message: string, error?: unknown) => void;
}

export function createChannels({
  broker,
  namespaces,
  application,
  stats,
  room,
  listeners = [],
  onFault,
}: ChannelsOptions): Channels {
  const access = new ChannelAccess(namespaces, application);
  return {
    access,
    publishing: new Publishing({
      access,
      broker,
      room,
      listeners: [createPublishCounter(stats), ...listeners],
      onFault,
    }),
    reading: new Reading(broker),
  };
}
