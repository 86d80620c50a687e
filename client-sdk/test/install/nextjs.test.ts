/** `examples/nextjs`, by its one command, with what it depends on from the registry. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { launchChromium } from '../../../gateway/test/support/chromium.js';
import { startExample } from '../../../gateway/test/support/example.js';

const PATIENCE = { timeout: 60_000 };

it('the server publishes and signs tokens, the page subscribes; rendering opens nothing; it builds', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fanfare-nextjs-'));
  // What is killed may write for another moment.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 }));
  // A component of the server that has the client too.
  const onServer = `import { client } from '../../lib/client';
    export default function Page() { return <p>{\`\${client.state} on the server\`}</p>; }`;
  const { url, gateway } = await startExample('nextjs', ['--into', folder]);
  const connections = async () => {
    const metrics = await (await fetch(`${gateway}/metrics`)).text();
    return Number(/^fanfare_connections_total\b\S* (\d+)$/m.exec(metrics)?.[1]);
  };
  mkdirSync(path.join(folder, 'app/server'));
  writeFileSync(path.join(folder, 'app/server/page.tsx'), onServer);
  expect(await (await fetch(url)).text()).toContain('<p role="status">idle</p>');
  expect(await (await fetch(`${url}/server`)).text()).toContain('idle on the server');
  expect(await connections()).toBe(0);

  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const status = () => page.textContent('[role=status]');
  const orders = () => page.locator('li').allTextContents();
  await page.goto(url);
  await expect.poll(status, PATIENCE).toBe('connected');
  for (const order of ['tea', 'bread']) {
    await page.fill('[name=order]', order);
    await page.click('text="Order"');
    await expect.poll(orders, PATIENCE).toContain(`${order}: taken`);
    // React empties a form when its action is done, which may be later than the message.
    await expect.poll(() => page.inputValue('[name=order]'), PATIENCE).toBe('');
  }
  await page.reload();
  await expect.poll(orders, PATIENCE).toEqual(['tea: taken', 'bread: taken']);
  // A page in development may be mounted twice.
  expect(await connections()).toBeGreaterThanOrEqual(2);

  const env = { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' } as const;
  await promisify(execFile)('npm', ['run', 'build'], { cwd: folder, env, timeout: 240_000 });
});
