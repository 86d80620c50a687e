import { formatCount } from './dom.js';
import type { PublisherReport } from './publisher-messages.js';
import type { Note } from './reader-messages.js';

export type Kind = 'calm' | 'broken' | 'good' | 'bad';

/** What the page says aloud: what an interruption is doing, and what it came to. */
export class Verdict {
  #note: Note | undefined;
  /** What the publisher's own connection told last. */
  #publisher: PublisherReport = { connected: true, leads: false, rate: 0, seen: 0 };
  /** `seen` when the interruption began. */
  #seenBefore = 0;
  #resets: Extract<Note, { kind: 'reset' }>[] = [];

  /** Answers whether there is anything new to say. */
  hear(note: Note): boolean {
    if (note.kind === 'connected' || note.kind === 'lagged') return false;
    if (note.kind === 'cut' || note.kind === 'down' || note.kind === 'frozen') this.#begin();
    if (note.kind === 'reset') this.#resets.push(note);
    this.#note = note;
    return true;
  }

  /** Answers whether that changes what is said. */
  watch(report: PublisherReport): boolean {
    this.#publisher = report;
    return this.#interrupted;
  }

  get text(): string {
    const note = this.#note;
    switch (note?.kind) {
      case 'cut':
      case 'down':
        return `Offline. ${this.#meanwhile}`;
      case 'frozen':
        return `Frozen. ${this.#meanwhile}`;
      case 'reconnected':
      case 'thawed':
        return 'Back. Catching up …';
      case 'failed':
        return note.message;
      case 'reset':
      case 'caughtUp':
        return this.#resets.length > 0
          ? this.#brokenContinuity
          : caughtUp(note.kind === 'caughtUp' ? note.messages : 0);
    }
    return '';
  }

  get kind(): Kind {
    if (this.#interrupted) return 'broken';
    if (this.#note?.kind === 'failed' || this.#resets.length > 0) return 'bad';
    return this.#note?.kind === 'caughtUp' ? 'good' : 'calm';
  }

  /** Whether this page is cut off or does not read, as far as it was told. */
  get #interrupted(): boolean {
    return this.#note?.kind === 'cut' || this.#note?.kind === 'down' || this.#note?.kind === 'frozen';
  }

  /** A gateway that is gone when a cut ends makes that one interruption. */
  #begin(): void {
    if (this.#interrupted) return;
    this.#seenBefore = this.#publisher.seen;
    this.#resets = [];
  }

  get #meanwhile(): string {
    const { connected, rate, seen } = this.#publisher;
    const count = seen - this.#seenBefore;
    if (!connected) return 'The publisher is offline: nothing is published from here.';
    if (count > 0) return `Published meanwhile, and not here yet: ${formatCount(count)}.`;
    if (rate === 0) return 'Nothing is being published: Publish is off.';
    return 'Messages are being published, and pass this page by …';
  }

  /** Stands until the next interruption, whatever was caught up with afterwards. */
  get #brokenContinuity(): string {
    const [first] = this.#resets;
    const channels = new Set(this.#resets.map(({ channel }) => channel));
    const log = channels.size === 1 ? `The log of ${first?.channel}` : `The logs of ${channels.size} channels`;
    const verb = channels.size === 1 ? ['was', 'goes'] : ['were', 'go'];
    const happened = this.#resets.every(({ reason }) => reason === 'expired')
      ? `no longer ${verb[1]} back that far`
      : `${verb[0]} lost`;
    // What the embedded broker holds ends with its gateway, and nothing that this page was given is missing from its books.
    const unknown = this.#resets.some(({ reason }) => reason === 'unrecoverable');
    const why = unknown ? ' Was it started anew? Its embedded broker keeps nothing; with Redis the logs stay.' : '';
    return `${log} ${happened}, and the gateway said so.${why}`;
  }
}

function caughtUp(messages: number): string {
  if (messages === 0) return 'Back. Nothing was published meanwhile.';
  if (messages === 1) return '1 message was published meanwhile. It is here, once.';
  return `${formatCount(messages)} messages were published meanwhile. All are here, in order, once.`;
}
