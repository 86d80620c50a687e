/** A collection of TanStack DB that follows a channel: `createCollection(channelCollection({ channel, load, getKey, change }))`. */
import type { ChannelState, FanfareClientError, Position, StateOptions } from '@fanfare/client';
import type { CollectionConfig } from '@tanstack/db';

export interface ChannelCollectionOptions<Row extends object, Key extends string | number, M> {
  readonly channel: { readonly name: string; state(options: StateOptions<null, M>): ChannelState<null> };
  /** All rows as they are in the database, and the position that they have in them. */
  readonly load: (signal: AbortSignal) => Promise<{ readonly rows: readonly Row[]; readonly position: Position }>;
  readonly getKey: (row: Row) => Key;
  /** What a message does: a row as it is now, or the key of one that is gone. */
  readonly change: (message: M) => { readonly row: Row } | { readonly gone: Key };
}

/** Where continuity breaks (`reset`), the rows are loaded again and take the place of all that are there (`truncate`). */
export function channelCollection<Row extends object, Key extends string | number, M>(
  options: ChannelCollectionOptions<Row, Key, M>,
): CollectionConfig<Row, Key> {
  const { channel, load, getKey, change } = options;
  return {
    id: channel.name,
    getKey,
    sync: {
      rowUpdateMode: 'full',
      sync: ({ begin, write, commit, truncate, markError }) => {
        const state = channel.state({
          async load(signal) {
            const { rows, position } = await load(signal);
            signal.throwIfAborted();
            begin();
            truncate();
            for (const value of rows) write({ type: 'insert', value });
            commit();
            return { state: null, position };
          },
          apply(_, message) {
            const done = change(message);
            begin();
            write('gone' in done ? { type: 'delete', key: done.gone } : { type: 'update', value: done.row });
            commit();
            return null;
          },
        });
        state.on('change', ({ error }: { error: FanfareClientError | undefined }) => error && markError(error));
        return () => state.close();
      },
    },
  };
}
