/** The chat of `examples/react-chat`, by its one command, in two tabs of a real Chromium. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { startExample } from '../support/example.js';

const PATIENCE = { timeout: 60_000 };

class Tab {
  readonly problems: string[] = [];

  private constructor(
    readonly page: Page,
    readonly context: BrowserContext,
  ) {
    page.on('pageerror', ({ message }) => this.problems.push(message));
  }

  static async open(browser: Browser, url: string, name: string): Promise<Tab> {
    const context = await browser.newContext();
    const tab = new Tab(await context.newPage(), context);
    await tab.page.goto(url);
    await tab.page.fill('[name=name]', name);
    await tab.page.click('text=Come in');
    await tab.hasStatus('Connected');
    return tab;
  }

  async say(...texts: string[]): Promise<void> {
    for (const text of texts) {
      await this.page.fill('[aria-label=Message]', text);
      await this.page.click('text=Say');
    }
  }

  hasStatus(text: string) {
    return expect.poll(() => this.page.textContent('[role=status]'), PATIENCE).toContain(text);
  }

  shows(lines: readonly string[]) {
    return expect.poll(() => this.page.locator('li').allTextContents(), PATIENCE).toEqual(lines);
  }

  sees(...names: string[]) {
    const present = async () => (await this.page.textContent('#present'))?.replace('Here: ', '').split(', ').sort();
    return expect.poll(present, PATIENCE).toEqual(names);
  }
}

it('two tabs chat; one that was offline, and one that is loaded again, have it all', async () => {
  const { url } = await startExample('react-chat');
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const [ada, grace] = await Promise.all([Tab.open(browser, url, 'Ada'), Tab.open(browser, url, 'Grace')]);
  await ada.sees('Ada', 'Grace');
  await ada.say('hello');
  await grace.shows(['Ada hello']);
  await grace.say('hi');
  const lines = ['Ada hello', 'Grace hi'];
  await ada.shows(lines);

  await grace.context.setOffline(true);
  await grace.hasStatus('waiting');
  await grace.say('said while offline');
  const more = Array.from({ length: 25 }, (_, n) => `line ${n}`);
  await ada.say(...more);
  lines.push(...more.map((text) => `Ada ${text}`));
  await ada.shows(lines);
  await grace.context.setOffline(false);
  lines.push('Grace said while offline');
  for (const tab of [ada, grace]) await tab.shows(lines);

  await grace.page.reload();
  await grace.shows(lines.slice(-20));
  await grace.page.click('text=Older messages');
  await grace.shows(lines);
  await grace.say('again');
  for (const tab of [ada, grace]) await tab.shows([...lines, 'Grace again']);
  expect([ada.problems, grace.problems]).toEqual([[], []]);
});
