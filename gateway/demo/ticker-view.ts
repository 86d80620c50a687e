import { parseTick, SYMBOLS, type Ticker } from './channels.js';
import { create, element } from './dom.js';
import type { Delivery } from './reader-messages.js';
import { drawSparkline, type Point, WINDOW_MS } from './sparkline.js';

/** The lines move this often, ms. */
const DRAW_EVERY_MS = 80;
/** Kept of one line, also while the page is in the background and nothing is drawn. */
const MOST_POINTS = 2_000;

interface Cell {
  readonly root: HTMLElement;
  readonly price: HTMLElement;
  readonly change: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  points: Point[];
}

/** Prices and their last half minute. While messages stay away, time goes on: the hole is seen, and seen to fill. */
export class TickerView {
  readonly #cells: ReadonlyMap<Ticker, Cell>;
  /** The gateway's clock runs ahead of ours by this, ms; learnt from the quickest message. */
  #aheadMs = Number.NEGATIVE_INFINITY;
  #drawnAt = 0;
  /** Off: time stands still where the last tick was. */
  moving = true;

  constructor() {
    this.#cells = new Map(SYMBOLS.map((symbol) => [symbol, createCell(symbol)]));
    element('symbols').append(...[...this.#cells.values()].map(({ root }) => root));
    const draw = (at: number) => {
      requestAnimationFrame(draw);
      if (at - this.#drawnAt < DRAW_EVERY_MS) return;
      this.#drawnAt = at;
      this.#draw();
    };
    requestAnimationFrame(draw);
  }

  add({ data, time, late }: Delivery): void {
    const tick = parseTick(data);
    const cell = tick && this.#cells.get(tick.symbol);
    if (!cell) return;
    this.#aheadMs = Math.max(this.#aheadMs, time - Date.now());
    cell.points.push({ time, price: tick.price, late });
    if (cell.points.length > MOST_POINTS) cell.points.shift();
  }

  #draw(): void {
    const cells = [...this.#cells.values()];
    const lastTick = Math.max(...cells.map(({ points }) => points.at(-1)?.time ?? 0));
    const now = this.moving ? Math.max(lastTick, Date.now() + this.#aheadMs) : lastTick;
    const style = getComputedStyle(element('symbols'));
    const late = style.getPropertyValue('--late');
    for (const cell of cells) {
      // One point before the window keeps the line from beginning in the middle.
      const first = cell.points.findIndex(({ time }) => time > now - WINDOW_MS);
      if (first > 1) cell.points.splice(0, first - 1);
      drawSparkline(cell.canvas, cell.points, now, { line: style.getPropertyValue('--line'), late });
      showPrice(cell);
    }
  }
}

function showPrice({ points, price, change, root }: Cell): void {
  const last = points.at(-1);
  const first = points[0];
  if (!last || !first) return;
  const percent = (last.price / first.price - 1) * 100;
  price.textContent = last.price.toFixed(2);
  change.textContent = `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`;
  root.dataset.trend = percent < 0 ? 'down' : 'up';
}

function createCell(symbol: Ticker): Cell {
  const price = create('b', { className: 'price', text: '\u00a0' });
  const change = create('span', { className: 'change' });
  const canvas = create('canvas');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `${symbol}, last 30 seconds`);
  const root = create('li', {}, create('span', { className: 'symbol', text: symbol }), change, price, canvas);
  return { root, price, change, canvas, points: [] };
}
