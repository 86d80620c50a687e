/** A socket whose session has to hear of dropped frames; a second call in a row is a no-op. */
export interface DropListener {
  tellDrop(): void;
}

/**
 * Frames are found not to fit while subscribers are being iterated, where nobody may leave a topic or
 * close a socket. Whom it concerns is noted here and told as soon as that is over: right after the
 * publish that saw it, before the next one at the latest, so that no later frame hides the hole.
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
