import { FanfareError } from '../errors.js';
import { count, type Stats } from '../stats.js';
import type { PublishListener } from './publishing.js';

/** Makes a listener that counts outcomes of publishes by entrance and kind of channel, for `/metrics`. */
export function createPublishCounter(stats: Stats): PublishListener {
  return ({ caller: { entrance }, channel, message, outcome }) => {
    if (outcome instanceof FanfareError) count(stats.publishFailures, outcome.code);
    else if (outcome.duplicate) stats.duplicates++;
    else {
      count(channel.durable ? stats.publishedDurable : stats.publishedLive, entrance);
      count(stats.publishedBytes, entrance, message.payload.bytes.length);
    }
  };
}
