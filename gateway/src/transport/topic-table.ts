/** Which subscribers are on which topic, for a transport without topics of its own. */
export class TopicTable<Subscriber> {
  readonly #topics = new Map<string, Set<Subscriber>>();

  add(topic: string, subscriber: Subscriber): void {
    const subscribers = this.#topics.get(topic);
    if (subscribers === undefined) this.#topics.set(topic, new Set([subscriber]));
    else subscribers.add(subscriber);
  }

  remove(topic: string, subscriber: Subscriber): void {
    const subscribers = this.#topics.get(topic);
    if (subscribers?.delete(subscriber) && subscribers.size === 0) this.#topics.delete(topic);
  }

  subscribers(topic: string): Iterable<Subscriber> {
    return this.#topics.get(topic) ?? [];
  }

  size(topic: string): number {
    return this.#topics.get(topic)?.size ?? 0;
  }
}
