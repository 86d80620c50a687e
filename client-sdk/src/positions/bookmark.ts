import type { Position } from '@fanfare/protocol';
import type { Cancel, Clock } from '../clock.js';
import type { PositionStore, StoredPosition } from './store.js';

/** Positions of one id are saved at most this often, ms; the last one always is. */
const SAVE_EVERY_MS = 100;

interface BookmarkOptions {
  readonly store: PositionStore;
  readonly id: string;
  readonly clock: Clock;
  readonly onError: (cause: unknown) => void;
}

/** The position kept under one id: the newest is saved, at a pace that a store bears. */
export class Bookmark {
  readonly #options: BookmarkOptions;
  readonly #release = new AbortController();
  #held = false;
  #latest: StoredPosition | undefined;
  #saving = false;
  /** The last save failed, which was told. */
  #failing = false;
  #pause: Cancel | undefined;

  constructor(options: BookmarkOptions) {
    this.#options = options;
  }

  get id(): string {
    return this.#options.id;
  }

  /** What is kept, if it is ours to go on from. */
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

  /** Saves what waits now: there may be no later. */
  flush(): void {
    this.#pause?.();
    this.#pause = undefined;
    this.#save();
  }

  /** Another user is there: what was to be saved, and what is, is not theirs. */
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

  /** Told once, until one succeeds. */
  #onFailed(cause: unknown): void {
    if (!this.#failing) this.#options.onError(cause);
    this.#failing = true;
  }
}
