/** The reader's thread: it can be frozen while the page stays awake. */
import { Reader } from './reader.js';
import type { ReaderCommand } from './reader-messages.js';
import { tokenInUrl } from './token.js';

const reader = new Reader({ url: location.origin, ...tokenInUrl(location.hash) }, (report) => self.postMessage(report));

self.onmessage = ({ data: command }: MessageEvent<ReaderCommand>) => {
  if (command.type === 'cut') reader.cut(command.offlineMs);
  else if (command.type === 'freeze') reader.freeze(command.forMs);
  else reader.publish(command.id, command.channel, command.data);
};
