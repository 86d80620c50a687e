import { FanfareError } from '../errors.js';
import { count, type Stats } from '../stats.js';
import type { PublishListener } from './publishing.js';

/** Counts outcomes by entrance and kind of channel, for `/metrics`. */
export function createPublishCounter(stats: Stats): PublishListener {
  return ({ caller, channel, outcome }) => {
    if (outcome instanceof FanfareError) count(stats.publishFailures, outcome.code);
    else if (outcome.duplicate) stats.duplicates++;
    else count(channel.durable ? stats.publishedDurable : stats.publishedLive, caller.entrance);
  };
}
