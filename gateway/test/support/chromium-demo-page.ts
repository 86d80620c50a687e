import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { GatewayProcess } from './gateway-process.js';

type Count = 'received' | 'caughtUp' | 'lost' | 'duplicated';
type Total = Count | 'reconnects' | 'lagged' | 'resets';

/** How long a page may take to get somewhere, ms. */
const PATIENCE_MS = 60_000;

/** One open demo page, in a browser profile of its own. */
export class DemoPage {
  readonly page: Page;
  /** What its console complained about, and what it threw. */
  readonly problems: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.problems.push(message.text());
    });
  }

  /** Opens the page and waits until it is connected. */
  static async open(browser: Browser, gateway: GatewayProcess, options: BrowserContextOptions = {}): Promise<DemoPage> {
    const context = await browser.newContext(options);
    const demo = new DemoPage(await context.newPage());
    await demo.page.goto(gateway.httpUrl);
    await demo.hasState('connected');
    return demo;
  }

  press(knife: 'cut' | 'freeze' | 'flood'): Promise<void> {
    return this.page.click(`#${knife}`);
  }

  /** From now on a cut or a freeze lasts this long: so that a test on a busy machine can do much meanwhile. */
  async prolong(ms: number): Promise<void> {
    await this.page.evaluate((ms) => {
      const { postMessage } = Worker.prototype;
      Worker.prototype.postMessage = function (message: { type: string }) {
        const lasting = { cut: { offlineMs: ms }, freeze: { forMs: ms } }[message.type];
        postMessage.call(this, { ...message, ...lasting });
      };
    }, ms);
  }

  async say(text: string, name?: string): Promise<void> {
    if (name !== undefined) await this.page.fill('#name', name);
    await this.page.fill('#text', text);
    await this.page.press('#text', 'Enter');
  }

  /** Turns the ticker off, for every page. */
  async stopTicker(): Promise<void> {
    await this.page.uncheck('#ticking');
    await this.shows('#leader', 'off');
  }

  async hasState(state: string): Promise<void> {
    await expect.poll(() => this.page.getAttribute('body', 'data-state'), { timeout: PATIENCE_MS }).toBe(state);
  }

  async shows(selector: string, text: string | RegExp): Promise<void> {
    await expect.poll(() => this.page.textContent(selector), { timeout: PATIENCE_MS }).toMatch(text);
  }

  /** Presses nothing, and waits until what was missed is here; the state alone may not have changed yet. */
  async hasCaughtUp(): Promise<void> {
    await this.shows('#verdict', /(was|were) published meanwhile/);
    await this.hasState('connected');
  }

  total(name: Total): Promise<number> {
    return this.#number(`#totals [data-count="${name}"] dd`);
  }

  count(channel: string, name: Count): Promise<number> {
    return this.#number(`#rows [data-channel="${channel}"] [data-count="${name}"]`);
  }

  offset(channel: string): Promise<number> {
    return this.#number(`#rows [data-channel="${channel}"] .offset`);
  }

  texts(selector: string): Promise<string[]> {
    return this.page.locator(selector).allTextContents();
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }

  async #number(selector: string): Promise<number> {
    const text = await this.page.textContent(selector);
    return Number(text?.replaceAll(',', '').trim() || Number.NaN);
  }
}
