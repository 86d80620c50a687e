import { create, element, formatCount, formatTime } from './dom.js';
import type { PublisherReport } from './publisher-messages.js';
import type { Note } from './reader-messages.js';
import { type Kind, Verdict } from './verdict.js';

/** Why continuity broke, for people. */
const REASONS = {
  expired: 'its log no longer goes back that far',
  unrecoverable: 'that log is gone, and a new one has begun',
  diverged: 'its log lost what was seen here',
} as const;
/** More than is seen at once. */
const MOST_LINES = 20;

/** What happened, and what it came to. */
export class JournalView {
  readonly #verdict = new Verdict();
  readonly #said = element('verdict');
  readonly #journal = element('journal');

  show(note: Note): void {
    if (this.#verdict.hear(note)) this.#say();
    const [text, kind] = wordsOf(note, this.#verdict.kind === 'bad');
    const time = create('time', { text: formatTime(Date.now()) });
    const line = create('li', {}, time, create('span', { text }));
    line.dataset.kind = kind;
    this.#journal.prepend(line);
    while (this.#journal.childElementCount > MOST_LINES) this.#journal.lastElementChild?.remove();
  }

  /** What is published while this page cannot read. */
  watch(report: PublisherReport): void {
    if (this.#verdict.watch(report)) this.#say();
  }

  #say(): void {
    this.#said.textContent = this.#verdict.text;
    this.#said.dataset.kind = this.#verdict.kind;
  }
}

/** @param broken whether continuity was, in this interruption: then nobody knows what was missed. */
function wordsOf(note: Note, broken: boolean): [text: string, kind: Kind] {
  switch (note.kind) {
    case 'connected':
      return ['connected', 'calm'];
    case 'cut':
      return [`socket cut, offline for ${note.offlineMs / 1000} s`, 'broken'];
    case 'down':
      return [`connection lost${note.reason && `: ${note.reason}`}`, 'broken'];
    case 'reconnected':
      return ['connected again, resuming each channel from its position', 'calm'];
    case 'frozen':
      return [`reading frozen for ${note.forMs / 1000} s; what comes piles up in buffers`, 'broken'];
    case 'thawed':
      return ['reading again', 'calm'];
    case 'lagged':
      return ['lagged: the gateway buffers no more, the rest comes from the log', 'calm'];
    case 'reset':
      return [`reset of ${note.channel}: ${REASONS[note.reason]}; goes on after ${note.position.offset}`, 'bad'];
    case 'caughtUp':
      if (broken) return [`caught up with what the log has: ${messages(note.messages)}`, 'calm'];
      return [note.messages > 0 ? `caught up: ${messages(note.messages)}` : 'nothing was missed', 'good'];
    case 'failed':
      return [note.message, 'bad'];
  }
}

function messages(count: number): string {
  return count === 1 ? '1 message' : `${formatCount(count)} messages`;
}
