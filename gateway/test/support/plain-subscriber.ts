import { localSubscriber, type Subscriber } from '../../src/hub/subscriber.js';
import type { ChannelPolicy } from '../../src/namespaces.js';
import { namespaceSettings } from './namespace-settings.js';

/** A channel that anyone may use. */
export const openChannel = (name: string, durable = true): ChannelPolicy => ({
  name,
  ...namespaceSettings({ durable, historySize: 100 }),
});

/** A client that takes everything at once. @param onReplayed told of every replayed frame, as text */
export function plainSubscriber(onReplayed: (frame: string) => void = () => {}): Subscriber {
  return {
    ...localSubscriber,
    session: 's1',
    sendReplayed(frame) {
      onReplayed(Buffer.from(frame).toString());
      return true;
    },
  };
}
