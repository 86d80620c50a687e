import { HELLO } from './channels.js';
import { appendTo, create, element, formatCount, formatTime } from './dom.js';
import type { Delivery } from './reader-messages.js';

const MOST_LINES = 50;
const COPIED_FOR_MS = 1_500;

/** The command to paste into a terminal, and what came of it. */
export class HelloView {
  readonly #list = element('hellos');

  constructor() {
    const command = element('curl');
    const body = JSON.stringify({ channel: HELLO, data: { n: 1 } });
    command.textContent = `curl -H 'Authorization: Bearer dev' -d '${body}' ${location.origin}/v1/publish`;
    const button = element<HTMLButtonElement>('copy');
    button.addEventListener('click', async () => {
      button.textContent = (await copy(command)) ? 'Copied' : 'Selected';
      setTimeout(() => {
        button.textContent = 'Copy';
      }, COPIED_FOR_MS);
    });
  }

  add({ data, time, offset, late }: Delivery): void {
    const item = create(
      'li',
      {},
      create('b', { text: `#${formatCount(offset)}` }),
      create('code', { text: JSON.stringify(data) }),
      create('time', { text: formatTime(time) }),
    );
    item.classList.toggle('late', late);
    appendTo(this.#list, item, MOST_LINES);
  }
}

/** Pages over plain HTTP have no clipboard: there the text is selected, and false the result. */
async function copy(source: HTMLElement): Promise<boolean> {
  getSelection()?.selectAllChildren(source);
  try {
    await navigator.clipboard.writeText(source.textContent ?? '');
    return true;
  } catch {
    return false;
  }
}
