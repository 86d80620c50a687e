import { type ChatLine, parseChatLine, randomId } from './channels.js';
import { appendTo, create, element, formatTime } from './dom.js';
import type { Delivery } from './reader-messages.js';

const MOST_LINES = 200;
const NAME_KEY = 'fanfare-demo-name';

/** The chat room. What is said here waits greyed until it comes back from the gateway, like anybody's. */
export class ChatView {
  readonly #lines = element('lines');
  readonly #name = element<HTMLInputElement>('name');
  readonly #text = element<HTMLInputElement>('text');
  /** Said here, and not come back yet. */
  readonly #pending = new Map<string, HTMLElement>();
  /** Ids of what was said here. */
  readonly #own = new Set<string>();

  constructor(publish: (line: ChatLine) => void) {
    this.#name.value = localStorage.getItem(NAME_KEY) ?? `Guest ${10 + Math.floor(Math.random() * 90)}`;
    this.#name.addEventListener('change', () => localStorage.setItem(NAME_KEY, this.#name.value.trim()));
    element('say').addEventListener('submit', (event) => {
      event.preventDefault();
      const line = { id: randomId(), name: this.#name.value.trim(), text: this.#text.value.trim() };
      if (!line.name || !line.text) return;
      this.#text.value = '';
      this.#own.add(line.id);
      const item = createLine(line, 'sending …');
      item.classList.add('own', 'pending');
      this.#pending.set(line.id, item);
      appendTo(this.#lines, item, MOST_LINES);
      this.#lines.scrollTop = this.#lines.scrollHeight;
      publish(line);
    });
  }

  add({ data, time, late }: Delivery): void {
    const line = parseChatLine(data);
    if (!line) return;
    this.#pending.get(line.id)?.remove();
    this.#pending.delete(line.id);
    const item = createLine(line, formatTime(time));
    item.classList.toggle('own', this.#own.has(line.id));
    item.classList.toggle('late', late);
    appendTo(this.#lines, item, MOST_LINES);
  }

  onPublished(id: string, error: string | undefined): void {
    const item = this.#pending.get(id);
    if (!item || error === undefined) return;
    this.#pending.delete(id);
    item.classList.replace('pending', 'failed');
    const note = item.querySelector('time');
    if (note) note.textContent = `not sent: ${error}`;
  }
}

function createLine({ name, text }: ChatLine, note: string): HTMLElement {
  return create(
    'li',
    {},
    create('b', { text: name }),
    create('time', { text: note }),
    create('span', { className: 'said', text }),
  );
}
