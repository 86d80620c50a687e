import { create, element, formatCount, formatTime } from './dom.js';
import type { Note } from './reader-messages.js';

const MOST_LINES = 5;

type Kind = 'calm' | 'broken' | 'good' | 'bad';

/** What happened, and what it came to. */
export class JournalView {
  readonly #verdict = element('verdict');
  readonly #journal = element('journal');

  show(note: Note): void {
    const [text, kind] = wordsOf(note);
    const time = create('time', { text: formatTime(Date.now()) });
    const line = create('li', {}, time, create('span', { text }));
    line.dataset.kind = kind;
    this.#journal.prepend(line);
    while (this.#journal.childElementCount > MOST_LINES) this.#journal.lastElementChild?.remove();
    const verdict = verdictOf(note);
    if (verdict === undefined) return;
    this.#verdict.textContent = verdict;
    this.#verdict.dataset.kind = kind;
  }
}

function wordsOf(note: Note): [text: string, kind: Kind] {
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
      return [`reset of ${note.channel}: ${note.reason}, goes on after ${note.position.offset}`, 'bad'];
    case 'caughtUp':
      return [note.messages > 0 ? `caught up: ${messages(note.messages)}` : 'nothing was missed', 'good'];
    case 'failed':
      return [note.message, 'bad'];
  }
}

/** What the page says aloud; absent: what it said stands. */
function verdictOf(note: Note): string | undefined {
  switch (note.kind) {
    case 'cut':
    case 'down':
      return 'Offline. Messages are being published, and pass this page by …';
    case 'frozen':
      return 'Frozen. Messages arrive, and nobody reads them …';
    case 'reconnected':
    case 'thawed':
      return 'Back. Catching up …';
    case 'reset':
      return `The log of ${note.channel} no longer goes back that far (${note.reason}), and the gateway said so.`;
    case 'caughtUp':
      if (note.messages === 0) return 'Back. Nothing was published meanwhile.';
      if (note.messages === 1) return '1 message was published meanwhile. It is here, once.';
      return `${messages(note.messages)} were published meanwhile. All are here, in order, once.`;
    case 'failed':
      return note.message;
  }
}

function messages(count: number): string {
  return count === 1 ? '1 message' : `${formatCount(count)} messages`;
}
