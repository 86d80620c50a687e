import type { SessionUpdate } from './presence-scripts.js';

interface HeldChannelOptions {
  /** Stores these sessions. Resolves with `false` if the lease was gone, and they have to be stored again. */
  readonly store: (sessions: readonly SessionUpdate[]) => Promise<boolean>;
  /** Reads which sessions are stored. */
  readonly stored: () => Promise<readonly string[]>;
  readonly pause: (attempt: number) => Promise<void>;
  readonly isClosed: () => boolean;
  /** Called when there is nothing left to hold or to do. */
  readonly onEmpty: () => void;
}

/** Most sessions that are stored in one call. */
const MAX_SESSIONS_PER_CALL = 500;

/**
 * This gateway's sessions on one channel as they should be stored, and the work that is needed to get there. There is
 * one call at a time, with everything that has come up meanwhile, and it is tried again until it is done.
 */
export class HeldChannel {
  readonly #options: HeldChannelOptions;
  readonly #wanted = new Map<string, SessionUpdate>();
  /**
   * Sessions of which it is not known that they are stored as they should be, each with callbacks for when they are.
   */
  readonly #open = new Map<string, (() => void)[]>();
  /** Whether it is unknown what is stored, so that all of it has to be compared. */
  #isDoubtful = false;
  #isBusy = false;

  constructor(options: HeldChannelOptions) {
    this.#options = options;
  }

  add(update: SessionUpdate): Promise<void> {
    this.#wanted.set(update.session, update);
    return new Promise((resolve) => {
      this.#open.set(update.session, [...(this.#open.get(update.session) ?? []), resolve]);
      this.#work();
    });
  }

  remove(session: string): void {
    if (!this.#wanted.delete(session)) return;
    if (!this.#open.has(session)) this.#open.set(session, []);
    this.#work();
  }

  /** Compares what is stored with what should be. */
  compare(): void {
    this.#isDoubtful = true;
    this.#work();
  }

  #work(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    void this.#workOn();
  }

  async #workOn(): Promise<void> {
    for (let attempt = 0; !this.#options.isClosed(); ) {
      try {
        if (this.#isDoubtful) await this.#compare();
        if (this.#open.size === 0 && !this.#isDoubtful) break;
        if (await this.#storeSome()) attempt = 0;
        else await this.#options.pause(attempt++);
      } catch {
        await this.#options.pause(attempt++);
      }
    }
    this.#isBusy = false;
    if (this.#wanted.size === 0 && this.#open.size === 0) this.#options.onEmpty();
  }

  async #storeSome(): Promise<boolean> {
    const some = [...this.#open].slice(0, MAX_SESSIONS_PER_CALL);
    for (const [session] of some) this.#open.delete(session);
    let isDone = false;
    try {
      isDone = await this.#options.store(some.map(([session]) => this.#wanted.get(session) ?? { session }));
    } finally {
      for (const [session, told] of some) {
        if (isDone) for (const tell of told) tell();
        else this.#open.set(session, [...told, ...(this.#open.get(session) ?? [])]);
      }
    }
    return isDone;
  }

  async #compare(): Promise<void> {
    this.#isDoubtful = false;
    try {
      const stored = new Set(await this.#options.stored());
      for (const session of [...stored, ...this.#wanted.keys()]) {
        if (stored.has(session) !== this.#wanted.has(session) && !this.#open.has(session)) this.#open.set(session, []);
      }
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
  }
}
