import { READ } from './channels.js';
import { create, element, formatCount } from './dom.js';
import type { LedgerRow } from './ledger.js';
import type { ReaderState } from './reader-messages.js';

/** The columns of the table behind channel and position, with what a narrow screen calls them. */
const COLUMNS = [
  ['received', 'received'],
  ['caughtUp', 'caught up'],
  ['lost', 'lost'],
  ['duplicated', 'dup.'],
] as const;

/** The tiles of the sums and the table of the channels. */
export class LedgerView {
  readonly #totals = element('totals');
  readonly #rows = new Map<string, HTMLTableRowElement>();

  constructor() {
    for (const channel of READ) this.#rows.set(channel, createRow(channel));
    element('rows').append(...this.#rows.values());
  }

  show({ rows, reconnects, lagged }: ReaderState): void {
    const sum = (name: 'received' | 'caughtUp' | 'lost' | 'duplicated' | 'resets') =>
      rows.reduce((total, row) => total + row[name], 0);
    const counts = {
      received: sum('received'),
      caughtUp: sum('caughtUp'),
      lost: sum('lost'),
      duplicated: sum('duplicated'),
      resets: sum('resets'),
      reconnects,
      lagged,
    };
    for (const [name, count] of Object.entries(counts)) {
      const tile = this.#totals.querySelector<HTMLElement>(`[data-count="${name}"]`);
      if (tile) showCount(tile, tile.querySelector('dd'), count);
    }
    for (const row of rows) this.#showRow(row);
  }

  #showRow(row: LedgerRow): void {
    const line = this.#rows.get(row.channel);
    if (!line) return;
    for (const [name] of COLUMNS) {
      const cell = line.querySelector<HTMLElement>(`[data-count="${name}"]`);
      if (cell) showCount(cell, cell, row[name]);
    }
    const [epoch, offset] = line.querySelectorAll('.position > *');
    if (!epoch || !offset || !row.position) return;
    epoch.textContent = row.position.epoch;
    offset.textContent = formatCount(row.position.offset);
  }
}

function createRow(channel: string): HTMLTableRowElement {
  const head = create('th', {}, create('code', { text: channel }));
  head.scope = 'row';
  const position = create(
    'td',
    { className: 'position' },
    create('span', { className: 'epoch', text: '\u00a0' }),
    create('b', { className: 'offset' }),
  );
  const cells = COLUMNS.map(([name, label]) => {
    const cell = create('td', { text: '0' });
    cell.dataset.count = name;
    cell.dataset.label = label;
    cell.classList.toggle('zero', name === 'lost' || name === 'duplicated');
    return cell;
  });
  const row = create('tr', {}, head, position, ...cells);
  row.dataset.channel = channel;
  return row;
}

/** `some` marks what is not zero. */
function showCount(marked: HTMLElement, shown: HTMLElement | null, count: number): void {
  const text = formatCount(count);
  if (!shown || shown.textContent === text) return;
  shown.textContent = text;
  marked.classList.toggle('some', count > 0);
}
