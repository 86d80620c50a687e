/** `npm run demo:two`: the page loses its gateway by kill -9, and goes on with the other one without a loss. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { launchChromium } from '../support/chromium.js';

const SCRIPT = fileURLToPath(new URL('../../../scripts/demo-two.mjs', import.meta.url));
const PATIENCE = { timeout: 60_000 };

it('one of two gateways is killed by a button of the page, which goes on with the other', async () => {
  const demo = spawn(process.execPath, [SCRIPT, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void demo.kill('SIGTERM'));
  const url = await new Promise<string>((resolve, reject) => {
    demo.stdout.on('data', (bytes) => {
      const found = /http:\S+/.exec(String(bytes))?.[0];
      if (found) resolve(found);
    });
    demo.once('exit', () => reject(new Error('demo:two ended')));
  });
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(url);
  const state = () => page.textContent('#state');
  const total = async (name: string) =>
    Number((await page.textContent(`#totals [data-count="${name}"] dd`))?.replaceAll(',', ''));
  await expect.poll(state, PATIENCE).toMatch(/^connected to gateway-/);
  const first = await state();
  await expect.poll(() => total('received'), PATIENCE).toBeGreaterThan(10);
  await page.click('#kill');
  await expect.poll(() => total('reconnects'), PATIENCE).toBe(1);
  await expect.poll(state, PATIENCE).toMatch(/^connected to gateway-/);
  expect(await state()).not.toBe(first);
  const before = await total('received');
  await expect.poll(() => total('received'), PATIENCE).toBeGreaterThan(before + 10);
  expect([await total('lost'), await total('duplicated'), await total('resets')]).toEqual([0, 0, 0]);
});
