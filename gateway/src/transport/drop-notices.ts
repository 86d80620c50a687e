/** A socket whose session has to hear of dropped frames; a second call in a row is a no-op. */
export interface DropListener {
  tellDrop(): void;
}

/**
 * Notes which sockets dropped a frame, and tells their sessions a moment later. A transport finds out that a frame does
 * not fit while it iterates the subscribers of a topic, when nobody may leave a topic or close a socket. So sessions
 * are told as soon as the iteration is over: right after the publish that noticed it, and before the next one at the
 * latest, so that no later frame hides the hole.
 */
export class DropNotices {
  #waiting: DropListener[] = [];
  #scheduled = false;
  readonly #later = (): void => {
    this.#scheduled = false;
    this.tell();
  };

  add(listener: DropListener): void {
    this.#waiting.push(listener);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#later);
  }

  tell(): void {
    if (this.#waiting.length === 0) return;
    const listeners = this.#waiting;
    this.#waiting = [];
    for (const listener of listeners) listener.tellDrop();
  }
}
