import type { JoinFrame, LeaveFrame, RawDialect, Wire } from '@fanfare/protocol';
import type { Subscription } from '../broker/broker.js';
import { type Cancel, type Clock, pause } from '../clock.js';
import { SendQueue } from '../hub/send-queue.js';
import type { SendScheduler } from '../hub/send-scheduler.js';
import type { TopicSubscriber } from '../hub/topic.js';
import {
  changesChannel,
  memberKey,
  type PresenceChange,
  type PresenceListener,
  type PresenceMember,
  type PresencePage,
  type PresenceStore,
} from './presence-store.js';

interface PresenceRoomOptions {
  readonly store: PresenceStore;
  readonly scheduler: SendScheduler;
  readonly clock: Clock;
  /**
   * How long a room without listeners is kept, ms, so that clients that come and go do not make it read the store
   * again.
   */
  readonly lingerMs: number;
  /** Called once, when the room has ended because nobody listens any more. */
  readonly onEnd: (room: PresenceRoom) => void;
  readonly onFault: (message: string, error?: unknown) => void;
}

/** Most members of one page that the room reads from the store. */
const PAGE_MEMBERS = 1_000;
/** How often the room is compared with the store although nothing seems wrong, ms. */
const AUDIT_MS = 60_000;

/** A client that hears of joins and leaves. */
export interface Listening {
  /** Puts the client onto the topic; from here on it hears of changes. */
  begin(): void;
  /** Ends the listening at once. It may be called in every state. */
  end(): void;
}

/**
 * The members of a channel as this gateway's clients see them: a copy of what is stored, kept up to date by its
 * changes. After an interruption, or a change that does not follow the last one, the copy is compared with the store.
 * Differences are told as joins and leaves, so that no client is left with a member that is gone.
 */
export class PresenceRoom implements PresenceListener {
  readonly channel: string;
  readonly #options: PresenceRoomOptions;
  readonly #queue: SendQueue;
  #members = new Map<string, PresenceMember>();
  #rev = 0;
  /** Keys of the members, sorted; made when they are needed. */
  #inOrder: readonly string[] | undefined;
  #subscription: Subscription | undefined;
  /** Changes that came while the copy is being read, and wait for it; `undefined` at other times. */
  #reading: PresenceChange[] | undefined;
  /** Whether the store has to be read once more after the reading that is under way. */
  #isDoubtful = false;
  #isInterrupted = false;
  #isEnded = false;
  #listeners = 0;
  #cancelLinger: Cancel = () => {};
  #cancelAudit: Cancel = () => {};
  /** Settles once the copy was read for the first time. */
  readonly ready: Promise<void>;

  constructor(channel: string, options: PresenceRoomOptions) {
    this.channel = channel;
    this.#options = options;
    this.#queue = new SendQueue(options.scheduler, changesChannel(channel));
    this.ready = this.#open();
  }

  /** A page of the members behind `after`, as of `PresenceStore.list`; `undefined` while the copy is not complete. */
  page(after: string, limit: number): PresencePage | undefined {
    if (this.#reading || !this.#subscription || this.#isInterrupted) return undefined;
    this.#inOrder ??= [...this.#members.keys()].sort();
    const begin = after === '' ? 0 : firstBehind(this.#inOrder, after);
    const keys = this.#inOrder.slice(begin, begin + limit);
    return {
      members: keys.map((key) => this.#members.get(key) as PresenceMember),
      count: this.#inOrder.length,
      rev: this.#rev,
      more: begin + limit < this.#inOrder.length,
    };
  }

  /** Adds a client that is to hear of changes. The room is kept as long as there are such clients. */
  listen(subscriber: TopicSubscriber, dialect: RawDialect): Listening {
    this.#listeners++;
    this.#cancelLinger();
    const topic = this.#queue.topic(dialect);
    let state: 'waiting' | 'listening' | 'ended' = 'waiting';
    return {
      begin: () => {
        if (state !== 'waiting') return;
        state = 'listening';
        topic.enter(subscriber);
      },
      end: () => {
        if (state === 'ended') return;
        if (state === 'listening') topic.leave(subscriber);
        state = 'ended';
        topic.release();
        if (--this.#listeners === 0) this.#linger();
      },
    };
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelLinger();
    this.#cancelAudit();
    this.#options.onEnd(this);
    void this.#subscription?.unsubscribe().catch((error) => this.#options.onFault('unsubscribe failed', error));
  }

  onChange(change: PresenceChange): void {
    if (this.#isEnded) return;
    if (this.#reading) {
      this.#reading.push(change);
      return;
    }
    if (change.rev <= this.#rev) return;
    if (change.prev === this.#rev || (change.prev === 0 && this.#members.size === 0)) this.#apply(change);
    else this.#read();
  }

  onInterrupted(): void {
    this.#isInterrupted = true;
  }

  onResumed(): void {
    this.#isInterrupted = false;
    this.#read();
  }

  async #open(): Promise<void> {
    const { store, clock, onFault } = this.#options;
    for (let attempt = 0; !this.#isEnded && !this.#subscription; attempt++) {
      try {
        const subscription = await store.watch(this.channel, this);
        if (this.#isEnded) return void (await subscription.unsubscribe());
        this.#subscription = subscription;
      } catch {
        await pause(clock, attempt);
      }
    }
    this.#scheduleAudit();
    await this.#read().catch((error) => onFault('members could not be read', error));
  }

  #apply({ rev, joined, counted, left }: PresenceChange): void {
    this.#rev = rev;
    for (const member of joined) this.#put(member, rev);
    for (const member of counted) this.#put(member, rev);
    for (const member of left) this.#drop(memberKey(member), rev);
  }

  #put(member: PresenceMember, rev: number): void {
    const key = memberKey(member);
    const isNew = !this.#members.has(key);
    this.#members.set(key, member);
    if (isNew) this.#inOrder = undefined;
    if (isNew) this.#tell({ type: 'join', channel: this.channel, member, rev });
  }

  #drop(key: string, rev: number): void {
    const member = this.#members.get(key);
    if (!member) return;
    this.#members.delete(key);
    this.#inOrder = undefined;
    this.#tell({ type: 'leave', channel: this.channel, member: { ...member, sessions: 0 }, rev });
  }

  #tell(frame: JoinFrame | LeaveFrame): void {
    if (this.#queue.subscribers === 0) return;
    this.#queue.push({
      position: undefined,
      size: 128,
      frame: (dialect: RawDialect): Wire => dialect.encode(frame),
    });
  }

  /** Reads what is stored, and tells clients the differences. It tries again for as long as it takes. */
  async #read(): Promise<void> {
    if (this.#reading) {
      this.#isDoubtful = true;
      return;
    }
    this.#reading = [];
    for (let attempt = 0; !this.#isEnded; attempt++) {
      this.#isDoubtful = false;
      try {
        const { members, rev } = await this.#readAll();
        if (this.#isDoubtful) continue;
        const waiting = this.#reading ?? [];
        this.#reading = undefined;
        this.#become(members, rev);
        for (const change of waiting) this.onChange(change);
        return;
      } catch {
        await pause(this.#options.clock, attempt);
      }
    }
    this.#reading = undefined;
  }

  /**
   * Reads all pages. The revision is that of the first page. Members may change while later pages are read. The changes
   * behind that revision have come in meanwhile, and if they are applied to what the pages show, the result is what is
   * stored.
   */
  async #readAll(): Promise<{ members: Map<string, PresenceMember>; rev: number }> {
    const { store } = this.#options;
    const members = new Map<string, PresenceMember>();
    let rev: number | undefined;
    for (let after = ''; ; ) {
      const page = await store.list(this.channel, { after, limit: PAGE_MEMBERS });
      rev ??= page.rev;
      for (const member of page.members) members.set(memberKey(member), member);
      const last = page.members.at(-1);
      if (!page.more || !last) return { members, rev };
      after = memberKey(last);
    }
  }

  /**
   * Takes over what was read. `rev` 0 means that nobody is there and the store knows no revision; clients still have to
   * be told a revision above those of their lists.
   */
  #become(members: Map<string, PresenceMember>, rev: number): void {
    const known = this.#members;
    const shownAs = Math.max(rev, this.#rev + 1);
    for (const key of [...known.keys()]) if (!members.has(key)) this.#drop(key, shownAs);
    for (const member of members.values()) this.#put(member, shownAs);
    this.#rev = rev;
  }

  #linger(): void {
    const { clock, lingerMs } = this.#options;
    this.#cancelLinger = clock.after(lingerMs, () => this.end());
  }

  /** Has the room compared with the store from time to time, to find faults that nobody foresaw. */
  #scheduleAudit(): void {
    this.#cancelAudit = this.#options.clock.after(AUDIT_MS, () => {
      if (!this.#isInterrupted) void this.#audit();
      this.#scheduleAudit();
    });
  }

  async #audit(): Promise<void> {
    const { rev } = await this.#options.store.list(this.channel, { after: '', limit: 1 }).catch(() => ({ rev: -1 }));
    if (rev > this.#rev || (rev === 0 && this.#members.size > 0)) await this.#read();
  }
}

/** Index of the first of the sorted keys that is behind this one, which need not be among the keys itself. */
function firstBehind(keys: readonly string[], after: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
