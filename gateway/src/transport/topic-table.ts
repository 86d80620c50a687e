/** Topics for a transport that has none of its own. */
export class TopicTable<Member> {
  readonly #topics = new Map<string, Set<Member>>();

  add(topic: string, member: Member): void {
    const members = this.#topics.get(topic);
    if (members === undefined) this.#topics.set(topic, new Set([member]));
    else members.add(member);
  }

  remove(topic: string, member: Member): void {
    const members = this.#topics.get(topic);
    if (members?.delete(member) && members.size === 0) this.#topics.delete(topic);
  }

  members(topic: string): Iterable<Member> {
    return this.#topics.get(topic) ?? [];
  }

  size(topic: string): number {
    return this.#topics.get(topic)?.size ?? 0;
  }
}
