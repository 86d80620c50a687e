/** The reader's thread: it can be frozen while the page stays awake. */
import { Reader } from './reader.js';
import type { ReaderCommand } from './reader-messages.js';

const reader = new Reader(location.origin, (report) => self.postMessage(report));

self.onmessage = ({ data: command }: MessageEvent<ReaderCommand>) => {
  if (command.type === 'cut') reader.cut(command.offlineMs);
  else if (command.type === 'freeze') reader.freeze(command.forMs);
  else reader.publish(command.id, command.channel, command.data);
};
