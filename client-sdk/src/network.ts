import type { Cancel } from './clock.js';

type Target = Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>;

/**
 * Calls back whenever a page may find its network changed: `onBack` when it is online again, shown again, or taken out
 * of the back/forward cache, and `onGone` when it is offline. Outside of pages it never calls back.
 */
export function watchNetwork(onBack: () => void, onGone: () => void): Cancel {
  const page = globalThis as Target & { document?: Target & { visibilityState?: string } };
  const { document } = page;
  const onVisibility = () => {
    if (document?.visibilityState === 'visible') onBack();
  };
  const listeners = [
    [page, 'online', onBack],
    [page, 'offline', onGone],
    [page, 'pageshow', onBack],
    [document, 'visibilitychange', onVisibility],
  ] as const;
  for (const [target, name, listener] of listeners) target?.addEventListener?.(name, listener);
  return () => {
    for (const [target, name, listener] of listeners) target?.removeEventListener?.(name, listener);
  };
}
