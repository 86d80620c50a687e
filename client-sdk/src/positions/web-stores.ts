import { isPosition } from '@fanfare/protocol/validate';
import { customPositions, type PositionsOptions } from './keeper.js';
import type { Positions } from './named.js';
import type { PositionStore, StoredPosition } from './store.js';

/** What a page offers, as far as we use it. Reading `localStorage` may throw, if the user forbids it. */
interface Place {
  readonly sessionStorage?: Storage;
  readonly localStorage?: Storage;
  readonly navigator?: { readonly locks?: Pick<LockManager, 'request'> };
}
const place = globalThis as Place;

/** How long a page waits for its lock, ms. One that is loaded again may find that what it was before still holds it. */
const LOCK_PATIENCE_MS = 500;

/**
 * Returns what keeps positions for this tab: they outlive its reloads, and end with it. Where there is no
 * `sessionStorage`, nothing is kept, which is told as `store_failed`.
 */
export function sessionPositions(options?: PositionsOptions): Positions {
  return customPositions(webStore('sessionStorage'), options);
}

/**
 * Returns what keeps positions on this device, for all tabs of the site. One tab at a time goes on from a name and keeps
 * it, by Web Locks. Others read as if nothing was kept, and take over when that tab is closed. Where there is no
 * `localStorage`, nothing is kept, which is told as `store_failed`. Without Web Locks, as on a page that is not on HTTPS,
 * nothing is kept either.
 */
export function localPositions(options?: PositionsOptions): Positions {
  return customPositions({ ...webStore('localStorage'), hold: new TabLocks().hold }, options);
}

function webStore(name: 'sessionStorage' | 'localStorage'): PositionStore {
  const storage = (): Storage | undefined => {
    try {
      return place[name];
    } catch {
      return undefined;
    }
  };
  return {
    load: (id) => parseStored(storage()?.getItem(id)),
    save(id, position) {
      const here = storage();
      if (here === undefined) throw new Error(`there is no ${name} here`);
      here.setItem(id, JSON.stringify(position));
    },
    remove: (id) => storage()?.removeItem(id),
    ids: (prefix) => Object.keys(storage() ?? {}).filter((id) => id.startsWith(prefix)),
  };
}

/** Reads a position that was stored. Anybody may have written there, so it is checked. */
function parseStored(text: string | null | undefined): StoredPosition | undefined {
  try {
    const stored = JSON.parse(text ?? 'null');
    return isPosition(stored) && Number.isFinite((stored as StoredPosition).savedAt)
      ? (stored as StoredPosition)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The locks that say which tab has a name. */
class TabLocks {
  /** The names that this tab has, and whether a subscription here uses them. */
  readonly #held = new Map<string, { inUse: boolean; release: () => void }>();

  readonly hold = (id: string, signal: AbortSignal, onHeld: () => void): boolean | Promise<boolean> => {
    const { locks } = place.navigator ?? {};
    const mine = this.#held.get(id);
    if (locks === undefined || mine?.inUse) return false;
    if (mine) {
      this.#use(id, signal, mine.release);
      return true;
    }
    return new Promise((resolve) => {
      let waits = true;
      const patience = setTimeout(() => {
        waits = false;
        resolve(false);
      }, LOCK_PATIENCE_MS);
      const take = () =>
        new Promise<void>((release) => {
          this.#use(id, signal, release);
          clearTimeout(patience);
          if (waits) resolve(true);
          else onHeld();
        });
      // The subscription may end before that. A page that may not use locks counts as one without.
      locks.request(id, { signal }, take).catch(() => {
        clearTimeout(patience);
        resolve(false);
      });
    });
  };

  /**
   * Uses a lock until the signal aborts. It is given back a moment after that, because a component that is mounted
   * twice ends and begins at once.
   */
  #use(id: string, signal: AbortSignal, release: () => void): void {
    const held = { inUse: true, release };
    this.#held.set(id, held);
    const end = () => {
      held.inUse = false;
      setTimeout(() => {
        if (this.#held.get(id) !== held) return;
        this.#held.delete(id);
        release();
      });
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  }
}
