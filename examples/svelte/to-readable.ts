/** What is on a channel, as a store of Svelte: `const chat = toReadable(messagesStore(client.channel('chat:1')))`, then `$chat.messages`. */
import type { Store } from '@fanfare/client/store';
import type { Readable } from 'svelte/store';

/** Begun with its first reader, as the store itself; on a server it is what there is before a connection. */
export function toReadable<Value>(store: Store<Value>): Readable<Value> {
  const isPage = typeof window !== 'undefined';
  return {
    subscribe(run) {
      run(isPage ? store.getSnapshot() : store.getServerSnapshot());
      return isPage ? store.subscribe(() => run(store.getSnapshot())) : () => {};
    },
  };
}
