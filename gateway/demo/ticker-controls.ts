import { element } from './dom.js';
import type { PublisherReport } from './publisher-messages.js';

/** The switch and the rate of the ticker; they are shared by all open pages. */
export class TickerControls {
  readonly #ticking = element<HTMLInputElement>('ticking');
  readonly #rate = element<HTMLInputElement>('rate');
  readonly #rateText = element('rate-text');
  readonly #leader = element('leader');

  constructor(setRate: (rate: number) => void) {
    const change = () => {
      setRate(this.#ticking.checked ? Number(this.#rate.value) : 0);
    };
    this.#ticking.addEventListener('change', change);
    this.#rate.addEventListener('input', () => {
      this.#ticking.checked = true;
      change();
    });
  }

  show({ connected, leads, rate }: PublisherReport): void {
    this.#ticking.checked = rate > 0;
    if (rate > 0) this.#rate.value = String(rate);
    this.#rateText.textContent = `${this.#rate.value}/s`;
    if (!connected) this.#leader.textContent = 'the publisher is offline';
    else if (rate === 0) this.#leader.textContent = 'off';
    else this.#leader.textContent = leads ? 'from this page, by a second connection' : 'from another page';
  }
}
