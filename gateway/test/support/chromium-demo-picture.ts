import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { DemoPage } from './chromium-demo-page.js';
import type { GatewayProcess } from './gateway-process.js';

const PICTURE = fileURLToPath(new URL('../../../docs/demo.png', import.meta.url));
const HEIGHT = 1130;
const WIDTHS = [1280, 390] as const;
const MARGIN = 40;

/** Two pages that chat, one of them cut and caught up, side by side as `docs/demo.png`. */
export async function takeDemoPicture(browser: Browser, gateway: GatewayProcess): Promise<void> {
  const wide = await DemoPage.open(browser, gateway, { viewport: { width: WIDTHS[0], height: HEIGHT } });
  const narrow = await DemoPage.open(browser, gateway, {
    viewport: { width: WIDTHS[1], height: HEIGHT },
    colorScheme: 'dark',
  });
  await gateway.publish({ channel: 'demo:hello', data: { n: 1 } });
  // Lines as long as their window.
  await sleep(20_000);
  await wide.say('Watch the lines: I cut my connection now.', 'Ada');
  await sleep(500);
  await wide.press('cut');
  await sleep(1_000);
  await narrow.say('You are gone. I see every tick.', 'Grace');
  await wide.hasCaughtUp();
  await wide.say('Back, and I have them all. The gold part is what I missed.');
  await sleep(500);
  await narrow.press('freeze');
  await narrow.hasCaughtUp();
  await sleep(3_000);
  const pictures = [];
  for (const demo of [wide, narrow]) {
    await demo.page.evaluate(() => {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      scrollTo(0, 0);
    });
    pictures.push(await demo.page.screenshot());
    await demo.close();
  }
  await writeFile(PICTURE, await sideBySide(browser, pictures));
}

async function sideBySide(browser: Browser, pictures: readonly Buffer[]): Promise<Buffer> {
  const width = WIDTHS.reduce((sum, one) => sum + one + MARGIN, MARGIN);
  const page = await browser.newPage({ viewport: { width, height: HEIGHT + 2 * MARGIN } });
  const images = pictures.map((png) => `<img src="data:image/png;base64,${png.toString('base64')}">`);
  await page.setContent(`<style>
    body { display: flex; gap: ${MARGIN}px; margin: ${MARGIN}px; background: #d9d8ea }
    img { border-radius: 18px; box-shadow: 0 12px 40px rgb(30 25 80 / 25%) }
  </style>${images.join('')}`);
  const picture = await page.screenshot();
  await page.close();
  return picture;
}
