import type { ServerFrame } from '@fanfare/protocol';
import { Backoff, type BackoffOptions } from './backoff.js';
import type { Cancel, Clock } from './clock.js';
import type { OnThrow } from './emitter.js';
import type { FanfareClientError } from './errors.js';
import { readPresence } from './presence.js';
import type { Requests } from './requests.js';
import { Roster } from './roster.js';

interface RostersOptions {
  readonly clock: Clock;
  readonly requests: Requests;
  readonly backoff: BackoffOptions;
  readonly timeoutMs: number;
  readonly onThrow: OnThrow;
  readonly onError: (error: FanfareClientError) => void;
}

interface Entry {
  readonly roster: Roster;
  readonly backoff: Backoff;
  /** How many subscriptions use the roster. */
  readers: number;
  /** Names the list that is being read. What comes of a list that was begun before is dropped. */
  reading: object | undefined;
  cancelRetry: Cancel;
}

/**
 * Who is on the channels whose subscriptions want to know. The list is read whenever the gateway has put us on a
 * channel.
 */
export class Rosters {
  readonly #options: RostersOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: RostersOptions) {
    this.#options = options;
  }

  open(channel: string): Roster {
    const { clock, backoff, onThrow } = this.#options;
    let entry = this.#entries.get(channel);
    if (entry === undefined) {
      const roster = new Roster(onThrow);
      entry = { roster, backoff: new Backoff(backoff, clock), readers: 0, reading: undefined, cancelRetry: () => {} };
      this.#entries.set(channel, entry);
    }
    entry.readers++;
    return entry.roster;
  }

  close(channel: string): void {
    const entry = this.#entries.get(channel);
    if (entry === undefined || --entry.readers > 0) return;
    this.#entries.delete(channel);
    lose(entry);
  }

  onFrame(frame: ServerFrame): void {
    if (this.#entries.size === 0) return;
    if (frame.type === 'join' || frame.type === 'leave') {
      this.#entries.get(frame.channel)?.roster[frame.type](frame.member, frame.rev);
    } else if (frame.type === 'subscribed') {
      this.#read(frame.channel);
    } else if (frame.type === 'unsubscribed') {
      this.#lose([frame.channel]);
    } else if (frame.type === 'lagged') {
      this.#lose(frame.channels);
    }
  }

  /** Called when we are on the channel as a member already. */
  onPresent(channel: string): void {
    const entry = this.#entries.get(channel);
    if (entry && !entry.roster.synced && entry.reading === undefined) this.#read(channel);
  }

  onDown(): void {
    this.#lose(this.#entries.keys());
  }

  #lose(channels: Iterable<string>): void {
    for (const channel of channels) {
      const entry = this.#entries.get(channel);
      if (entry) lose(entry);
    }
  }

  #read(channel: string): void {
    const entry = this.#entries.get(channel);
    if (entry === undefined) return;
    const { clock, requests, timeoutMs, onError } = this.#options;
    const reading = {};
    const isCurrent = () => entry.reading === reading;
    entry.cancelRetry();
    entry.reading = reading;
    entry.roster.begin();
    readPresence(requests, channel, timeoutMs, ({ members, rev }) => {
      if (isCurrent()) entry.roster.onPage(members, rev);
    }).then(
      () => {
        if (!isCurrent()) return;
        entry.reading = undefined;
        entry.backoff.reset();
        entry.roster.complete();
      },
      (error: FanfareClientError) => {
        if (!isCurrent()) return;
        entry.reading = undefined;
        if (error.retryable) entry.cancelRetry = clock.after(entry.backoff.next(), () => this.#read(channel));
        else if (error.code !== 'closed') onError(error);
      },
    );
  }
}

function lose(entry: Entry): void {
  entry.cancelRetry();
  entry.reading = undefined;
  entry.roster.lose();
}
