import { SYMBOLS, type Tick } from './channels.js';

const FIRST_PRICES = { BRASS: 84, BUGLE: 41, CORNET: 127, FIFE: 18, HORN: 63, TUBA: 212 } as const;
/** How far a price moves at once, as a part of it. */
const STEP = 0.004;
/** How strongly it is drawn back to where it began. */
const PULL = 0.01;

/** Prices that wander. */
export class Market {
  readonly #prices = new Map<string, number>(Object.entries(FIRST_PRICES));

  /** Goes on from a tick of somebody else. */
  follow({ symbol, price }: Tick): void {
    this.#prices.set(symbol, price);
  }

  next(): Tick {
    const symbol = SYMBOLS[Math.floor(Math.random() * SYMBOLS.length)] ?? SYMBOLS[0];
    const home = FIRST_PRICES[symbol];
    const price = this.#prices.get(symbol) ?? home;
    const moved = price * (1 + (Math.random() - 0.5) * 2 * STEP) + (home - price) * PULL;
    const tick = { symbol, price: Math.max(0.01, Math.round(moved * 100) / 100) };
    this.follow(tick);
    return tick;
  }
}
