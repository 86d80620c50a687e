import type { Cancel } from './clock.js';

type Target = Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>;

/**
 * Calls back whenever a page may find its network changed: it is online again, shown again, or taken out
 * of the back/forward cache. Elsewhere never.
 */
export function onNetworkBack(callback: () => void): Cancel {
  const page = globalThis as Target & { document?: Target & { visibilityState?: string } };
  const { document } = page;
  const onVisibility = () => {
    if (document?.visibilityState === 'visible') callback();
  };
  const listeners = [
    [page, 'online', callback],
    [page, 'pageshow', callback],
    [document, 'visibilitychange', onVisibility],
  ] as const;
  for (const [target, name, listener] of listeners) target?.addEventListener?.(name, listener);
  return () => {
    for (const [target, name, listener] of listeners) target?.removeEventListener?.(name, listener);
  };
}
