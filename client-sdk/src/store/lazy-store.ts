import { onNextFrame } from './frame.js';

/** A value that changes, as React's `useSyncExternalStore` and adapters of other frameworks want it. */
export interface Store<Value> {
  /** Calls back after each change, at most once a frame. Returns a function that ends that. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Returns the value, which is the same until something has changed. */
  readonly getSnapshot: () => Value;
  /** Returns what a server renders, and a page before it has begun. */
  readonly getServerSnapshot: () => Value;
}

/**
 * Begins what brings values, and returns a function that ends it. It calls `changed` when there is a new value to read.
 */
type Open = (changed: () => void) => () => void;

/**
 * Makes a store that does nothing until somebody listens, and ends a moment after nobody does: a component that is
 * mounted twice, or moves, begins and ends at once.
 */
export function lazyStore<Value>(read: () => Value, open: Open, initial = read()): Store<Value> {
  const listeners = new Set<() => void>();
  let snapshot = read();
  let close: (() => void) | undefined;
  let leaving: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    const value = read();
    if (Object.is(value, snapshot)) return;
    snapshot = value;
    for (const listener of [...listeners]) listener();
  };
  return {
    getSnapshot: () => snapshot,
    getServerSnapshot: () => initial,
    subscribe(listener) {
      // The same function may be passed twice.
      const own = () => listener();
      listeners.add(own);
      clearTimeout(leaving);
      close ??= open(() => onNextFrame(flush));
      return () => {
        if (!listeners.delete(own) || listeners.size > 0) return;
        leaving = setTimeout(() => {
          close?.();
          close = undefined;
        });
      };
    },
  };
}

/** Makes a store whose value never changes. */
export function constantStore<Value>(value: Value): Store<Value> {
  return { subscribe: () => () => {}, getSnapshot: () => value, getServerSnapshot: () => value };
}
