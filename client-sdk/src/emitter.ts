/** Takes what a listener of an event threw, or rejected with. */
export type OnThrow = (error: unknown, event: PropertyKey) => void;

// Listeners may be async, so what they return is looked at, but only to catch a rejection.
type Listener<Event> = (event: Event) => unknown;

/** Listeners by event name. A listener that throws harms neither the others nor the caller. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, readonly Listener<never>[]>();
  readonly #onThrow: OnThrow;

  constructor(onThrow: OnThrow) {
    this.#onThrow = onThrow;
  }

  /** Adds a listener and returns a function that removes it. A function that is added twice is called twice. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const own: Listener<Events[Name]> = (event) => listener(event);
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), own]);
    return () => {
      const rest = (this.#listeners.get(name) ?? []).filter((other) => other !== own);
      this.#listeners.set(name, rest);
    };
  }

  has(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.length ?? 0) > 0;
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const listeners = this.#listeners.get(name) as readonly Listener<Events[Name]>[] | undefined;
    if (listeners === undefined) return;
    for (const listener of listeners) {
      try {
        const result = listener(event) as Partial<PromiseLike<unknown>> | null | undefined;
        if (typeof result?.then === 'function') result.then(undefined, (error) => this.#onThrow(error, name));
      } catch (error) {
        this.#onThrow(error, name);
      }
    }
  }
}
