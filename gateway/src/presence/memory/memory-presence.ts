import type { Broker, Subscription } from '../../broker/broker.js';
import type { Clock } from '../../clock.js';
import { changesSpec, watchChanges } from '../presence-changes.js';
import {
  memberKey,
  type PresenceChange,
  type PresenceListener,
  type PresenceMember,
  type PresencePage,
  type PresenceStore,
  type PresentSession,
} from '../presence-store.js';

interface MemoryPresenceOptions {
  readonly broker: Pick<Broker, 'publish' | 'subscribe'>;
  readonly clock: Clock;
  /** Called when a member joined or left, and when a channel became occupied or vacated; for webhooks. */
  readonly onEvent?: (type: 'joined' | 'left', channel: string, member: PresenceMember, count: number) => void;
}

interface Present {
  readonly member: Omit<PresenceMember, 'sessions'>;
  readonly sessions: Set<string>;
}

interface State {
  /** The members of the channel, by `memberKey`. */
  readonly members: Map<string, Present>;
  /** Key of the member that each session belongs to. */
  readonly sessions: Map<string, string>;
  rev: number;
}

/** The presence of a single process; everything is gone with the process. */
export class MemoryPresence implements PresenceStore {
  readonly #options: MemoryPresenceOptions;
  readonly #channels = new Map<string, State>();
  /**
   * The last revision of any channel, so that a channel that was empty for a while goes on above its earlier revisions.
   */
  #lastRev = 0;

  constructor(options: MemoryPresenceOptions) {
    this.#options = options;
  }

  start(): void {}

  async close(): Promise<void> {}

  async add(channel: string, session: PresentSession): Promise<void> {
    let state = this.#channels.get(channel);
    if (!state) {
      state = { members: new Map(), sessions: new Map(), rev: 0 };
      this.#channels.set(channel, state);
    }
    if (state.sessions.has(session.session)) return;
    const key = memberKey(session);
    state.sessions.set(session.session, key);
    const known = state.members.get(key);
    if (known) {
      known.sessions.add(session.session);
      this.#tell(channel, state, { counted: [shown(known)] });
      return;
    }
    const { session: id, user, info } = session;
    const present: Present = {
      member: { session: id, ...(user !== undefined && { user }), ...(info !== undefined && { info }) },
      sessions: new Set([id]),
    };
    state.members.set(key, present);
    this.#tell(channel, state, { joined: [shown(present)] });
  }

  remove(channel: string, session: string): void {
    const state = this.#channels.get(channel);
    const key = state?.sessions.get(session);
    const present = key === undefined ? undefined : state?.members.get(key);
    if (!state || key === undefined || !present) return;
    state.sessions.delete(session);
    present.sessions.delete(session);
    if (present.sessions.size > 0) {
      this.#tell(channel, state, { counted: [shown(present)] });
      return;
    }
    state.members.delete(key);
    if (state.members.size === 0) this.#channels.delete(channel);
    this.#tell(channel, state, { left: [{ ...present.member, sessions: 1 }] });
  }

  async list(channel: string, { after, limit }: { after: string; limit: number }): Promise<PresencePage> {
    const state = this.#channels.get(channel);
    if (!state) return { members: [], count: 0, rev: 0, more: false };
    // By bytes, which is the order in Redis.
    const behind = [...state.members]
      .map(([key, present]) => ({ bytes: Buffer.from(key), present }))
      .filter(({ bytes }) => after === '' || Buffer.compare(bytes, Buffer.from(after)) > 0)
      .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
    const members = behind.slice(0, limit).map(({ present }) => shown(present));
    return { members, count: state.members.size, rev: state.rev, more: behind.length > limit };
  }

  watch(channel: string, listener: PresenceListener): Promise<Subscription> {
    return watchChanges(this.#options.broker, channel, listener);
  }

  #tell(channel: string, state: State, what: Partial<PresenceChange>): void {
    const { broker, clock } = this.#options;
    const prev = state.rev;
    this.#lastRev = Math.max(this.#lastRev + 1, clock.wall() * 1_000);
    state.rev = this.#lastRev;
    const change: PresenceChange = { rev: state.rev, prev, joined: [], left: [], counted: [], ...what };
    const payload = { format: 'json', bytes: Buffer.from(JSON.stringify(change)) } as const;
    for (const member of change.joined) this.#options.onEvent?.('joined', channel, member, state.members.size);
    for (const member of change.left) this.#options.onEvent?.('left', channel, member, state.members.size);
    // If the broker is closed, the members are gone as well.
    broker.publish(changesSpec(channel), [{ payload }]).catch(() => {});
  }
}

function shown({ member, sessions }: Present): PresenceMember {
  return { ...member, sessions: sessions.size };
}
