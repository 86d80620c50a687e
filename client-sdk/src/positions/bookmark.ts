import type { Position } from '@fanfare/protocol';
import type { Cancel, Clock } from '../clock.js';
import type { PositionStore, StoredPosition } from './store.js';

/** How often positions of one id are saved at most, ms. The last one is always saved. */
const SAVE_EVERY_MS = 100;

interface BookmarkOptions {
  readonly store: PositionStore;
  readonly id: string;
  readonly clock: Clock;
  readonly onError: (cause: unknown) => void;
}

/** The position that is kept under one id. The newest one is saved, at a pace that a store can take. */
export class Bookmark {
  readonly #options: BookmarkOptions;
  readonly #release = new AbortController();
  #held = false;
  #latest: StoredPosition | undefined;
  #saving = false;
  /** Whether the last save failed, which was reported. */
  #failing = false;
  #pause: Cancel | undefined;

  constructor(options: BookmarkOptions) {
    this.#options = options;
  }

  get id(): string {
    return this.#options.id;
  }

  /** Returns the position that is kept, if we may go on from it. */
  async load(user: string | undefined, maxAgeMs: number): Promise<Position | undefined> {
    const { store, id, clock } = this.#options;
    const onHeld = () => {
      this.#held = true;
      this.#save();
    };
    this.#held = (await store.hold?.(id, this.#release.signal, onHeld)) ?? true;
    if (!this.#held) return undefined;
    const stored = await store.load(id);
    if (!stored) return undefined;
    const { epoch, offset, savedAt } = stored;
    if (stored.user === user && clock.now() - savedAt <= maxAgeMs) return { epoch, offset };
    await store.remove(id);
    return undefined;
  }

  keep({ epoch, offset }: Position, user: string | undefined): void {
    this.#latest = { epoch, offset, savedAt: this.#options.clock.now(), ...(user !== undefined && { user }) };
    if (this.#pause === undefined) this.#save();
  }

  /** Saves the position that waits now, because there may be no later. */
  flush(): void {
    this.#pause?.();
    this.#pause = undefined;
    this.#save();
  }

  /** Drops the position that waits and the one that is kept. Another user is there, to whom they do not belong. */
  async forget(): Promise<void> {
    this.#latest = undefined;
    await this.#options.store.remove(this.#options.id);
  }

  close(): void {
    this.flush();
    this.#release.abort();
  }

  #save(): void {
    const { store, id, clock } = this.#options;
    const position = this.#latest;
    if (position === undefined || !this.#held || this.#saving) return;
    this.#latest = undefined;
    const succeed = () => {
      this.#failing = false;
      done();
    };
    const done = () => {
      this.#saving = false;
      if (this.#release.signal.aborted) this.#save();
      else {
        this.#pause ??= clock.after(SAVE_EVERY_MS, () => {
          this.#pause = undefined;
          this.#save();
        });
      }
    };
    this.#saving = true;
    const fail = (cause: unknown) => {
      this.#onFailed(cause);
      done();
    };
    try {
      const saved = store.save(id, position) as PromiseLike<unknown> | undefined;
      if (typeof saved?.then === 'function') {
        saved.then(succeed, fail);
        return;
      }
    } catch (cause) {
      fail(cause);
      return;
    }
    succeed();
  }

  /** Reports a failed save, and then no other until one succeeds. */
  #onFailed(cause: unknown): void {
    if (!this.#failing) this.#options.onError(cause);
    this.#failing = true;
  }
}
