/** Named positions in the stores of a real browser. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { launchChromium } from '../../gateway/test/support/chromium.js';
import { type GatewayProcess, startGatewayProcess } from '../../gateway/test/support/gateway-process.js';

const here = fileURLToPath(new URL('.', import.meta.url));

let gateway: GatewayProcess;
let browser: Browser;
let pageUrl: string;
const server = createServer();

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: `export * from '@fanfare/client'; export * from '@fanfare/client/positions';`,
      resolveDir: here,
    },
    bundle: true,
    format: 'iife',
    globalName: 'Fanfare',
    platform: 'browser',
    write: false,
    tsconfigRaw: {},
  });
  const html = `<!doctype html><script>${outputFiles[0]?.text.replaceAll('</script', '<\\/script')}</script>`;
  server.on('request', (_, response) => response.setHeader('content-type', 'text/html').end(html));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  pageUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  [gateway, browser] = await Promise.all([startGatewayProcess(), launchChromium()]);
});
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
  server.close();
});

interface PageGlobals {
  readonly Fanfare: typeof import('../src/index.js') & typeof import('../src/positions.js');
  readonly note: (tab: string, data: number) => Promise<void>;
}

/** Tabs of one browser profile, and what their handlers were given. */
async function aProfile(store: 'sessionPositions' | 'localPositions', channel: string) {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const seen: { tab: string; data: number }[] = [];
  await context.exposeFunction('note', (tab: string, data: number) => void seen.push({ tab, data }));
  const begin = async (page: Page, tab: string) => {
    await page.evaluate(
      ([url, store, channel, tab]) => {
        const { Fanfare, note } = globalThis as unknown as PageGlobals;
        const client = Fanfare.createClient({ url, positions: Fanfare[store]() });
        client.connect();
        const handler = ({ data }: { data: number }) => note(tab, data);
        return client.channel<number>(channel).subscribe(handler, { resumeAs: 'page' }).ready();
      },
      [gateway.wsUrl, store, channel, tab] as const,
    );
  };
  const open = async (tab: string) => {
    const page = await context.newPage();
    await page.goto(pageUrl);
    await begin(page, tab);
    return page;
  };
  const of = (tab: string) => seen.filter((each) => each.tab === tab).map(({ data }) => data);
  return { context, open, begin, of };
}

let published = 0;
async function publish(channel: string, count = 1): Promise<number> {
  for (let n = 0; n < count; n++) {
    const { status } = await gateway.publish({ channel, data: ++published });
    expect(status).toBe(200);
  }
  return published;
}

async function storedOffsets(context: BrowserContext): Promise<number[]> {
  const { origins } = await context.storageState();
  return origins.flatMap(({ localStorage }) => localStorage).map(({ value }) => JSON.parse(value).offset);
}

describe('positions in a browser', () => {
  it('outlive reloads of the tab, with nothing lost and nothing out of order', async () => {
    const channel = 'demo:reload';
    const { open, begin, of } = await aProfile('sessionPositions', channel);
    const page = await open('a');
    const first = published + 1;
    let publishing = true;
    const done = (async () => {
      while (publishing) await publish(channel);
    })();
    for (let reload = 0; reload < 3; reload++) {
      const before = of('a').length;
      await expect.poll(() => of('a').length, { timeout: 20_000 }).toBeGreaterThan(before + 20);
      await page.reload();
      await begin(page, 'a');
    }
    publishing = false;
    await done;
    await expect.poll(() => of('a').at(-1), { timeout: 20_000 }).toBe(published);
    // What was under way when the page went comes again, and nothing else does.
    const seen = of('a');
    const again = seen.filter((data, i) => data === seen[i - 1]);
    expect(again.length).toBeLessThanOrEqual(3);
    const once = seen.filter((data, i) => data !== seen[i - 1]);
    expect(once).toEqual(Array.from({ length: published - first + 1 }, (_, i) => first + i));
  });

  it('of all tabs are those of one, and pass on to another when it is closed', async () => {
    const channel = 'demo:tabs';
    const { context, open, of } = await aProfile('localPositions', channel);
    const first = await open('first');
    const one = await publish(channel);
    await expect.poll(() => of('first')).toEqual([one]);
    await expect.poll(() => storedOffsets(context)).toEqual([1]);
    await open('second');
    const two = await publish(channel);
    await expect.poll(() => [of('first'), of('second')]).toEqual([[one, two], [two]]);
    await expect.poll(() => storedOffsets(context)).toEqual([2]);
    await first.close();
    const three = await publish(channel);
    await expect.poll(() => of('second')).toEqual([two, three]);
    await expect.poll(() => storedOffsets(context)).toEqual([3]);
    for (const page of context.pages()) await page.close();
    const four = await publish(channel);
    await open('third');
    await expect.poll(() => of('third')).toEqual([four]);
  });
});
