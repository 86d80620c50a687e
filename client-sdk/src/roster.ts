import type { PresenceMember } from '@fanfare/protocol';
import { Emitter, type OnThrow } from './emitter.js';
import type { Presence, PresenceEvents, PresentMember } from './presence.js';

/** How many departures are remembered, so that no late `join` brings a member back. */
const MAX_DEPARTED = 1_000;
/** The revision of what was told before the list that is being read now. Anything newer counts. */
const OLD = -1;

/**
 * The members of one channel, made of lists and of `join` and `leave` frames, which overtake each other: for each
 * member the highest revision counts. Revisions are compared within one subscription only, because a failover of the
 * gateways' Redis may set them back.
 */
export class Roster implements Presence {
  readonly #present = new Map<string, { member: PresentMember; rev: number }>();
  readonly #departed = new Map<string, number>();
  readonly #events: Emitter<PresenceEvents>;
  #members: readonly PresentMember[] | undefined = [];
  /** The lowest revision of the list that is being read. */
  #listRev: number | undefined;
  synced = false;

  constructor(onThrow: OnThrow) {
    this.#events = new Emitter(onThrow);
  }

  get members(): readonly PresentMember[] {
    this.#members ??= Array.from(this.#present.values(), ({ member }) => member);
    return this.#members;
  }

  on<Name extends keyof PresenceEvents>(name: Name, listener: (event: PresenceEvents[Name]) => unknown): () => void {
    return this.#events.on(name, listener);
  }

  /** Called when what is known may be old from now on. */
  lose(): void {
    this.synced = false;
  }

  /** Called before a list is read. */
  begin(): void {
    this.synced = false;
    this.#listRev = undefined;
    this.#departed.clear();
    for (const one of this.#present.values()) one.rev = OLD;
  }

  onPage(members: readonly PresenceMember[], rev: number): void {
    this.#listRev = Math.min(this.#listRev ?? rev, rev);
    for (const member of members) this.join(member, rev);
  }

  /** Called when the list has been read. Members that it did not name, and that no newer frame told of, are gone. */
  complete(): void {
    const listRev = this.#listRev ?? OLD;
    for (const [name, { member, rev }] of [...this.#present]) if (rev < listRev) this.#remove(name, member);
    this.synced = true;
    this.#events.emit('sync', this.members);
  }

  /** The member was there at this revision. */
  join(member: PresenceMember, rev: number): void {
    const name = nameOf(member);
    const known = this.#present.get(name);
    if (rev <= (known?.rev ?? this.#departed.get(name) ?? OLD)) return;
    this.#departed.delete(name);
    this.#members = undefined;
    this.#present.set(name, { member, rev });
    if (known === undefined) this.#events.emit('join', member);
  }

  /** The member was gone at this revision. */
  leave(member: PresenceMember, rev: number): void {
    const name = nameOf(member);
    const known = this.#present.get(name);
    if (rev <= (known?.rev ?? this.#departed.get(name) ?? OLD)) return;
    this.#departed.delete(name);
    this.#departed.set(name, rev);
    const [oldest] = this.#departed.keys();
    if (this.#departed.size > MAX_DEPARTED && oldest !== undefined) this.#departed.delete(oldest);
    if (known) this.#remove(name, known.member);
  }

  #remove(name: string, member: PresentMember): void {
    this.#present.delete(name);
    this.#members = undefined;
    this.#events.emit('leave', member);
  }
}

/** Returns the key of a member, which keeps a user apart from a session of the same name. */
function nameOf({ user, session }: PresenceMember): string {
  return user === undefined ? `session ${session}` : `user ${user}`;
}
