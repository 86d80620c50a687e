/** The demo page in a real Chromium, against a real gateway. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { DemoPage } from '../support/chromium-demo-page.js';
import { takeDemoPicture } from '../support/chromium-demo-picture.js';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.js';

const CHANNELS = ['demo:ticker', 'demo:chat', 'demo:hello', 'demo:flood'];

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

/** A gateway of its own, so that every log begins empty. */
async function startGateway(port = 0): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ port, settings: { NODE: 'gateway-1' } });
  onTestFinished(() => gateway.stop());
  return gateway;
}

/** A page whose console has to stay clean. */
async function openPage(gateway: GatewayProcess, options?: BrowserContextOptions): Promise<DemoPage> {
  const demo = await DemoPage.open(browser, gateway, options);
  onTestFinished(async () => {
    await demo.close();
    expect(demo.problems).toEqual([]);
  });
  return demo;
}

/** Publishes the numbers from one to another, in one request. */
async function sayHello(gateway: GatewayProcess, from: number, to = from): Promise<void> {
  const messages = [];
  for (let n = from; n <= to; n++) messages.push({ channel: 'demo:hello', data: { n } });
  expect(await gateway.publish({ messages })).toMatchObject({ status: 200 });
}

interface History {
  readonly messages: readonly { readonly offset: number; readonly data: unknown }[];
}

/** The last message of a channel, as its log has it. */
async function lastOf(gateway: GatewayProcess, channel: string): Promise<{ offset: number; data: unknown }> {
  const headers = { authorization: 'Bearer dev' };
  const reply = await fetch(`${gateway.httpUrl}/v1/history?channel=${channel}&limit=1`, { headers });
  return ((await reply.json()) as History).messages.at(-1) ?? { offset: 0, data: undefined };
}

/** Nothing lost, nothing twice: the page has counted every message of every log. */
async function hasEverything(demo: DemoPage, gateway: GatewayProcess): Promise<void> {
  for (const channel of CHANNELS) {
    const { offset } = await lastOf(gateway, channel);
    await expect.poll(() => demo.offset(channel)).toBe(offset);
    expect([channel, await demo.count(channel, 'received')]).toEqual([channel, offset]);
  }
  expect(await demo.total('lost')).toBe(0);
  expect(await demo.total('duplicated')).toBe(0);
  expect(await demo.total('resets')).toBe(0);
}

it('two open pages show what is published over HTTP', async () => {
  const gateway = await startGateway();
  const pages = [await openPage(gateway), await openPage(gateway)];
  const { body } = await gateway.publish({ channel: 'demo:hello', data: { n: 1 } });
  expect(body).toMatchObject({ channel: 'demo:hello', offset: 1 });
  for (const demo of pages) {
    await demo.shows('#hellos', /#1\{"n":1\}/);
    expect(await demo.page.textContent('#curl')).toBe(
      `curl -H 'Authorization: Bearer dev' -d '{"channel":"demo:hello","data":{"n":1}}' ${gateway.httpUrl}/v1/publish`,
    );
  }
});

it('what is said on one page is read on the other, by its name, and by those who come later', async () => {
  const gateway = await startGateway();
  const [ada, grace] = [await openPage(gateway), await openPage(gateway)];
  await ada.say('Is <b>anybody</b> there?', 'Ada');
  await grace.shows('#lines', /Ada.*Is <b>anybody<\/b> there\?/);
  await grace.say('I am.', 'Grace');
  await ada.shows('#lines', /Grace.*I am\./);
  const late = await openPage(gateway);
  await late.shows('#lines', /Ada.*Is <b>anybody<\/b> there\?.*Grace.*I am\./);
  expect(await ada.texts('#lines .own .said')).toEqual(['Is <b>anybody</b> there?']);
});

it('a cut while messages flow loses nothing, and the counts are exact', async () => {
  const gateway = await startGateway();
  const [demo, witness] = [await openPage(gateway), await openPage(gateway)];
  await sayHello(gateway, 0);
  await demo.shows('#hellos', /"n":0/);
  await demo.prolong(8_000);
  await demo.press('cut');
  await demo.hasState('offline');
  await sayHello(gateway, 1, 40);
  await demo.shows('#verdict', /^Offline\. Published meanwhile, and not here yet: ([4-9]\d|[1-9]\d\d)\.$/);
  await demo.say('said while cut', 'Ada');
  await witness.shows('#hellos', /"n":40/);
  expect(await demo.page.getAttribute('body', 'data-state')).toBe('offline');
  expect(await demo.texts('#hellos code')).toEqual(['{"n":0}']);

  await demo.hasCaughtUp();
  expect(await demo.count('demo:hello', 'caughtUp')).toBe(40);
  expect(await demo.count('demo:ticker', 'caughtUp')).toBeGreaterThan(0);
  expect(await demo.total('reconnects')).toBe(1);
  expect(await demo.texts('#hellos code')).toEqual(Array.from({ length: 41 }, (_, n) => `{"n":${n}}`));
  await demo.shows('#wire', /"type":"subscribe".*"since":.*\n.*"type":"subscribed".*"recovered":true/);
  for (const page of [demo, witness]) await page.shows('#lines', /said while cut/);
  await demo.stopTicker();
  await hasEverything(demo, gateway);
  expect(await demo.texts('#lines .said')).toEqual(['said while cut']);
  expect(await lastOf(gateway, 'demo:chat')).toMatchObject({ offset: 1 });
});

it('cuts again and again lose nothing', async () => {
  const gateway = await startGateway();
  const demo = await openPage(gateway);
  let n = 0;
  const flow = setInterval(() => void gateway.publish({ channel: 'demo:hello', data: { n: n++ } }), 20);
  for (let cuts = 1; cuts <= 2; cuts++) {
    await demo.press('cut');
    await demo.hasState('offline');
    await demo.hasCaughtUp();
    expect(await demo.total('reconnects')).toBe(cuts);
  }
  clearInterval(flow);
  await demo.stopTicker();
  await hasEverything(demo, gateway);
});

it('a page that freezes reads all that waited for it, and the counts are exact', async () => {
  const gateway = await startGateway();
  const demo = await openPage(gateway);
  await sayHello(gateway, 0);
  await demo.shows('#hellos', /"n":0/);
  await demo.prolong(8_000);
  await demo.press('freeze');
  await demo.hasState('frozen');
  await sayHello(gateway, 1, 40);
  // The page itself is awake; only its reader sleeps.
  await demo.page.fill('#text', 'typed while frozen');
  expect(await demo.texts('#hellos code')).toEqual(['{"n":0}']);
  expect(await demo.page.getAttribute('body', 'data-state')).toBe('frozen');

  await demo.hasCaughtUp();
  expect(await demo.texts('#hellos code')).toEqual(Array.from({ length: 41 }, (_, n) => `{"n":${n}}`));
  expect(await demo.total('reconnects')).toBe(0);
  await demo.stopTicker();
  await hasEverything(demo, gateway);
});

it('a frozen page that lags beyond all buffers resumes from the log over the same connection', async () => {
  const gateway = await startGateway();
  const demo = await openPage(gateway);
  await demo.press('flood');
  await demo.hasState('frozen');
  await demo.hasCaughtUp();
  expect(await demo.total('lagged')).toBeGreaterThan(0);
  expect(await demo.total('reconnects')).toBe(0);
  expect(await demo.count('demo:flood', 'received')).toBe(600);
  await demo.stopTicker();
  await hasEverything(demo, gateway);
  // Published as binary, so in MessagePack; the page has read it in JSON.
  expect((await lastOf(gateway, 'demo:flood')).data).toMatchObject({ filler: { $binary: expect.any(String) } });
});

it('of several open pages one publishes the ticks; another takes over, and the switch is theirs together', async () => {
  const gateway = await startGateway();
  const pages = [await openPage(gateway), await openPage(gateway), await openPage(gateway)];
  const leaders = async (open: readonly DemoPage[]) => {
    const texts = await Promise.all(open.map((demo) => demo.page.textContent('#leader')));
    return texts.map((text) => text?.startsWith('from this page'));
  };
  // The first, unless the machine is so busy that another one heard nothing of it for a while.
  let first = -1;
  const oneLeads = async () => {
    const all = await leaders(pages);
    first = all.indexOf(true);
    return all.filter(Boolean).length;
  };
  await expect.poll(oneLeads).toBe(1);
  const rest = pages.filter((_, nth) => nth !== first);
  await pages[first]?.close();
  await expect.poll(async () => (await leaders(rest)).filter(Boolean).length).toBe(1);
  const { offset } = await lastOf(gateway, 'demo:ticker');
  await expect.poll(async () => (await lastOf(gateway, 'demo:ticker')).offset).toBeGreaterThan(offset);
  await rest[0]?.stopTicker();
  for (const demo of rest) await demo.shows('#leader', 'off');
  const stopped = await lastOf(gateway, 'demo:ticker');
  await sleep(500);
  expect(await lastOf(gateway, 'demo:ticker')).toEqual(stopped);
});

it('is told so when the gateway has lost its log, and goes on', async () => {
  const gateway = await startGateway();
  const demo = await DemoPage.open(browser, gateway);
  onTestFinished(() => demo.close());
  await sayHello(gateway, 1);
  await demo.shows('#hellos', /"n":1/);
  await gateway.signal('SIGKILL');
  await demo.hasState('offline');
  await demo.shows('#verdict', 'Offline. The publisher is offline');
  // Long enough for several attempts to connect, which are no news.
  await sleep(1_500);
  expect((await demo.texts('#journal span')).filter((line) => line.startsWith('connection lost')).length).toBe(1);
  const next = await startGateway(gateway.port);
  await demo.hasState('connected');
  await demo.shows('#journal', /reset of demo:hello: that log is gone/);
  expect(await demo.total('resets')).toBeGreaterThan(0);
  await demo.shows(
    '#verdict',
    /^The logs of 4 channels were lost, and the gateway said so\. Was it started anew\? Its embedded broker keeps nothing/,
  );
  expect(await demo.page.getAttribute('#verdict', 'data-kind')).toBe('bad');
  expect(await demo.page.textContent('#journal')).not.toContain('nothing was missed');
  await sayHello(next, 2);
  await demo.shows('#hellos', /"n":2/);
  expect(await demo.total('lost')).toBe(0);
});

it.each([
  [{ width: 1280, height: 800 }, ['#verdict', '[data-count="lost"]', '#symbols']],
  [{ width: 375, height: 740 }, ['#cut', '#verdict', '[data-count="lost"]', '[data-count="duplicated"]']],
] as const)('shows what a cut does without scrolling at %j', async (viewport, shown) => {
  const demo = await openPage(await startGateway(), { viewport });
  await demo.shows('#lines', /Nobody has said anything yet/);
  await demo.press('cut');
  await demo.hasCaughtUp();
  for (const selector of shown) {
    const box = await demo.page.locator(selector).first().boundingBox();
    expect([selector, box && box.y >= 0 && box.y + box.height <= viewport.height]).toEqual([selector, true]);
  }
});

it('fits a phone, and every control has a name', async () => {
  const gateway = await startGateway();
  const demo = await openPage(gateway, { viewport: { width: 360, height: 740 } });
  await sayHello(gateway, 1);
  await demo.say('m'.repeat(200), 'n'.repeat(24));
  await demo.shows('#lines', /m{200}/);
  await demo.press('cut');
  await demo.hasCaughtUp();
  expect(await demo.page.evaluate(() => document.scrollingElement?.scrollWidth)).toBe(360);
  const controls = [
    ['button', /^Cut/],
    ['button', 'Freeze'],
    ['button', 'Freeze + flood'],
    ['checkbox', 'Publish'],
    ['slider', /^Rate/],
    ['textbox', 'Name'],
    ['textbox', 'Message'],
    ['button', 'Send'],
    ['button', 'Copy'],
  ] as const;
  for (const [role, name] of controls) {
    expect([name, await demo.page.getByRole(role, { name, exact: true }).count()]).toEqual([name, 1]);
  }
  expect(await demo.page.locator('button:visible, input:visible').count()).toBe(controls.length);
});

if (process.env.DEMO_SCREENSHOT) {
  it('poses for docs/demo.png', async () => takeDemoPicture(browser, await startGateway()), 120_000);
}
