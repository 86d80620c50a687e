/** The publisher's thread: timers of a page in the background would be slowed down. */
import { Publisher } from './publisher.js';
import type { PublisherCommand } from './publisher-messages.js';
import { tokenInUrl } from './token.js';

const publisher = new Publisher({ url: location.origin, ...tokenInUrl(location.hash) }, (report) =>
  self.postMessage(report),
);

self.onmessage = ({ data: command }: MessageEvent<PublisherCommand>) => {
  if (command.type === 'rate') publisher.setRate(command.rate);
  else publisher.flood();
};
