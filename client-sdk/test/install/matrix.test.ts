import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { launchChromium } from '../../../gateway/test/support/chromium.js';
import { type GatewayProcess, startGatewayProcess } from '../../../gateway/test/support/gateway-process.js';
import { compareErrors } from '../types/expected-errors.js';
import { App, CJS, checkTypes, ESM, packSdk, RECEIVED, RESOLUTIONS, SUBSCRIBE } from './app.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** `npm run test:install`: the packed SDK in everything it is said to run in, each as its users have it. */
let tarball: string;
let gateway: GatewayProcess;
let browser: Browser;
const apps: App[] = [];

beforeAll(async () => {
  tarball = packSdk();
  gateway = await startGatewayProcess();
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
  for (const app of apps) app.remove();
  rmSync(path.dirname(tarball), { recursive: true, force: true });
});

function appWith(packages: string[], borrowed: string[] = []): App {
  const app = new App(tarball, { packages, borrowed });
  apps.push(app);
  return app;
}
const inGateway = () => ({ GATEWAY_URL: gateway.wsUrl });

describe('runtimes', () => {
  it.each([
    ['22', 'node@22'],
    ['24', 'node@24'],
  ])('Node %s by import and by require, without the ws package', async (version, name) => {
    const app = appWith([name]).write({ 'app.mjs': ESM, 'app.cjs': CJS });
    const node = app.file('node_modules/node/bin/node');
    expect(await app.run(node, ['--version'])).toMatch(`v${version}.`);
    for (const file of ['app.mjs', 'app.cjs']) expect(await app.run(node, [file], inGateway())).toBe(`${RECEIVED}\n`);
  });

  it.each([
    ['22', 'node@22'],
    ['24', 'node@24'],
  ])('Node %s comes back to a gateway that was killed, as soon as there is one', async (_, name) => {
    const app = appWith([name]).write({ 'app.mjs': RETURNING });
    let own = await startGatewayProcess();
    onTestFinished(() => own.stop());
    const program = app.run(app.file('node_modules/node/bin/node'), ['app.mjs'], { GATEWAY_URL: own.wsUrl });
    const isThere = async () =>
      (await (await fetch(`${own.httpUrl}/metrics`)).text()).match(/^fanfare_connections\S* 1$/m);
    await expect.poll(isThere, { timeout: 20_000 }).not.toBeNull();
    await own.signal('SIGKILL');
    // Some attempts fail.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    own = await startGatewayProcess({ port: own.port });
    expect(await program).toMatch(/^(waiting\n){2,}connected again\n$/);
  });

  it.each([
    ['22', 'node@22'],
    ['24', 'node@24'],
  ])('Node %s goes through the scenarios of programs in Node', async (_, name) => {
    const app = appWith([name]);
    const env = { FANFARE_TEST_NODE: app.file('node_modules/node/bin/node') };
    const vitest = [path.join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--root', ROOT];
    expect(await app.node([...vitest, 'client-sdk/test/scenarios.test.ts'], env)).toMatch(/Test Files .*1 passed/);
  });

  it('Deno', async () => {
    const app = appWith(['deno']).write({
      'app.mjs': ESM.replace('process.env.GATEWAY_URL', "Deno.env.get('GATEWAY_URL')"),
    });
    expect(await app.run(app.file('node_modules/.bin/deno'), ['run', '-A', 'app.mjs'], inGateway())).toBe(
      `${RECEIVED}\n`,
    );
  });

  it('Bun', async () => {
    const app = appWith(['bun']).write({ 'app.mjs': ESM, 'app.cjs': CJS });
    for (const file of ['app.mjs', 'app.cjs'])
      expect(await app.run(app.file('node_modules/.bin/bun'), [file], inGateway())).toBe(`${RECEIVED}\n`);
  });

  it('Jest with its defaults', async () => {
    const app = appWith(['jest'], ['ws']).write({
      'app.test.js': `const { createClient } = require('@fanfare/client');
        test('subscribes', async () => {
          const client = createClient({ url: process.env.GATEWAY_URL });
          client.connect();
          const channel = client.channel('demo:jest');
          const subscription = channel.subscribe();
          await subscription.ready();
          await channel.publish({ n: 1 });
          for await (const { data } of subscription) {
            expect(data).toEqual({ n: 1 });
            break;
          }
          client.close();
        });`,
    });
    expect(await app.node([app.file('node_modules/jest/bin/jest.js')], inGateway())).toContain('1 passed');
  });

  it("React Native's globals: no TextDecoder, no process, an URL that cannot be changed", async () => {
    const app = appWith([], ['ws']).write({
      'app.cjs': `const vm = require('node:vm');
        const { readFileSync } = require('node:fs');
        class URL { constructor(text) { this.text = text; } get href() { throw new Error('not implemented'); } }
        const globals = { URL, WebSocket: require('ws').WebSocket, setTimeout, clearTimeout, queueMicrotask, console,
          url: process.env.GATEWAY_URL };
        const context = vm.createContext(globals);
        vm.runInContext(readFileSync('bundle.js', 'utf8'), context);`,
    });
    const { build } = await import('esbuild');
    const contents = `import { createClient } from '@fanfare/client';\n${SUBSCRIBE}`;
    const stdin = { contents, resolveDir: app.folder };
    await build({ stdin, bundle: true, format: 'iife', platform: 'browser', outfile: app.file('bundle.js') });
    expect(await app.node(['app.cjs'], inGateway())).toBe(`${RECEIVED}\n`);
  });
});

describe('TypeScript', () => {
  it.each(['5.4', 'latest'])('%s by every module resolution, and the mistakes in a map', async (version) => {
    const app = appWith([`typescript@${version}`, '@types/react@19', 'zod@4', 'valibot@1', 'arktype@2']);
    const tsc = app.file('node_modules/typescript/bin/tsc');
    const { version: found } = JSON.parse(readFileSync(app.file('node_modules/typescript/package.json'), 'utf8'));
    const removed = Number.parseInt(found, 10) >= 7;
    for (const resolution of RESOLUTIONS) {
      if (removed && resolution === 'node10') continue;
      await checkTypes(app, tsc, resolution, Number.parseInt(found, 10) === 6 ? { ignoreDeprecations: '6.0' } : {});
    }
    const fixture = readFileSync(fileURLToPath(new URL('../types/channels.ts', import.meta.url)), 'utf8');
    const config = readFileSync(fileURLToPath(new URL('../types/tsconfig.json', import.meta.url)), 'utf8');
    app.write({ 'channels.ts': fixture, 'tsconfig.json': config, 'package.json': '{ "type": "module" }' });
    const printed = await app.node([tsc, '-p', '.', '--pretty', 'false']).catch((error: Error) => error.message);
    const errors = printed.slice(printed.indexOf('channels.ts('));
    expect(compareErrors(fixture, errors)).toEqual({ unexpected: [], missing: [] });
  });

  it('200 patterns with 1,000 uses, without trying each pattern for each name', async () => {
    const app = appWith(['typescript@6', 'zod@4']).write({
      'scale.ts': scale(),
      'package.json': '{ "type": "module" }',
    });
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext'];
    const printed = await app.node([
      app.file('node_modules/typescript/bin/tsc'),
      ...flags,
      '--diagnostics',
      'scale.ts',
    ]);
    process.stdout.write(`200 patterns with 1,000 uses: ${/Total time: .*/.exec(printed)?.[0]}\n`);
    // The time depends on the machine, the work of the compiler does not. To try each pattern for each name takes 1,900,000.
    expect(Number(/Instantiations: +(\d+)/.exec(printed)?.[1])).toBeLessThan(650_000);
  });
});

describe('bundlers', () => {
  it('webpack 5 for the web and for Node, without a warning', async () => {
    const app = appWith(['webpack@5'], ['ws']).write({
      'app.mjs': ESM,
      'build.cjs': `const webpack = require('webpack');
        const common = { mode: 'production', context: __dirname, entry: './app.mjs', experiments: { outputModule: true } };
        const output = (name) => ({ path: __dirname + '/out', filename: name, module: true, chunkFormat: 'module' });
        webpack([
          { ...common, target: 'web', output: output('web.mjs') },
          { ...common, target: 'node20', output: output('node.mjs') },
        ], (error, stats) => {
          console.log(error ?? stats.toString({ all: false, errors: true, warnings: true }));
        });`,
    });
    expect((await app.node(['build.cjs'])).trim()).toBe('');
    expect(readFileSync(app.file('out/web.mjs'), 'utf8')).not.toContain('no_websocket');
    expect(await app.node(['out/node.mjs'], inGateway())).toBe(`${RECEIVED}\n`);
  });

  it('Vite for a page and with --ssr', async () => {
    const app = appWith(['vite@7'], ['ws']).write({
      'index.html': '<script type="module" src="/page.js"></script>',
      'page.js': pageProgram(),
      'server.mjs': ESM,
    });
    const vite = app.file('node_modules/vite/bin/vite.js');
    expect(await app.node([vite, 'build', '--outDir', 'out'])).not.toMatch(/warn/i);
    await app.node([vite, 'build', '--ssr', 'server.mjs', '--outDir', 'ssr']);
    expect(await app.node(['ssr/server.js'], inGateway()).catch(() => app.node(['ssr/server.mjs'], inGateway()))).toBe(
      `${RECEIVED}\n`,
    );
    const html = readFileSync(app.file('out/index.html'), 'utf8');
    const script = readFileSync(app.file(`out${/src="([^"]+)"/.exec(html)?.[1]}`), 'utf8');
    expect(await inPage(`<script type="module">${script}</script>`)).toBe(RECEIVED);
  });
});

/** What a page does: subscribes at a relative url, and puts what came into its title. */
function pageProgram(url = '/ws'): string {
  const program = SUBSCRIBE.replaceAll('console.log(', 'tell(');
  return `import { createClient } from '@fanfare/client';
    const tell = (...words) => { (globalThis.postMessage && !globalThis.document ? postMessage : report)(words.join(' ')); };
    const report = (text) => { top.document.title = text; };
    const url = '${url}';
    ${program}`;
}

/** The title of a page that a server gives which also hands `/ws` to the gateway. */
async function inPage(html: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const server = createServer((request, response) => {
    const script = files[request.url ?? ''];
    response.setHeader('content-type', script === undefined ? 'text/html' : 'text/javascript');
    response.end(script ?? `<!doctype html><title>waiting</title>${html}`);
  });
  server.on('upgrade', async (request, socket, head) => {
    const { connect } = await import('node:net');
    const upstream = connect(gateway.port, '127.0.0.1');
    const headers = request.rawHeaders.flatMap((name, index, all) =>
      index % 2 === 0
        ? [
            `${name}: ${/^(host|origin)$/i.test(name) ? all[index + 1]?.replace(/127[^/]*/, `127.0.0.1:${gateway.port}`) : all[index + 1]}`,
          ]
        : [],
    );
    upstream.write(`GET ${request.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    upstream.write(head);
    upstream.pipe(socket).on('error', () => upstream.destroy());
    socket.pipe(upstream).on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page = await browser.newPage();
  try {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction("document.title !== 'waiting'", undefined, { timeout: 20_000 });
    return await page.title();
  } finally {
    await page.close();
    server.closeAllConnections();
    server.close();
  }
}

describe('places in a page, with a relative url', () => {
  let script: string;
  let module: string;
  beforeAll(async () => {
    const { build } = await import('esbuild');
    const stdin = { contents: pageProgram(), resolveDir: appWith([]).folder };
    const built = await build({ stdin, bundle: true, format: 'iife', platform: 'browser', write: false });
    script = built.outputFiles[0]?.text ?? '';
    module = script;
  });
  const told = 'worker.onmessage = ({ data }) => { document.title = data; };';

  it('a page', async () => {
    expect(await inPage(`<script>${script}</script>`)).toBe(RECEIVED);
  });

  it('a module worker', async () => {
    const page = `<script>const worker = new Worker('/worker.js', { type: 'module' }); ${told}</script>`;
    expect(await inPage(page, { '/worker.js': module })).toBe(RECEIVED);
  });

  it('a worker made from a blob', async () => {
    const page = `<script>const blob = new Blob([${JSON.stringify(script)}], { type: 'text/javascript' });
      const worker = new Worker(URL.createObjectURL(blob)); ${told}</script>`;
    expect(await inPage(page)).toBe(RECEIVED);
  });

  it('a frame made by srcdoc', async () => {
    const frame = `<script>${script}</script>`.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
    expect(await inPage(`<iframe srcdoc="${frame}"></iframe>`)).toBe(RECEIVED);
  });

  it('the script of the package', async () => {
    const global = readFileSync(apps[0]?.file('node_modules/@fanfare/client/dist/fanfare.min.js') ?? '', 'utf8');
    const program = pageProgram().replace(/^import .*\n/, 'const { createClient } = Fanfare;\n');
    expect(await inPage(`<script>${global}</script><script>${program}</script>`)).toBe(RECEIVED);
  });
});

describe('servers that load modules of a page', () => {
  const client = `import { createClient } from '@fanfare/client';
    export const client = createClient({ url: '/ws' });\n`;

  it('Next.js builds and serves a page whose module makes a client, which opens nothing', async () => {
    const app = appWith(['next@15', 'react@19', 'react-dom@19']).write({
      'lib/client.js': client,
      'app/layout.js': 'export default ({ children }) => <html><body>{children}</body></html>;',
      'app/page.js': `'use client';\nimport { client } from '../lib/client.js';
        export default function Page() { return <p>client {client.state}</p>; }`,
      'next.config.mjs': 'export default { outputFileTracingRoot: import.meta.dirname };',
    });
    const next = app.file('node_modules/next/dist/bin/next');
    const env = { NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' };
    await app.node([next, 'build'], env);
    expect(readFileSync(app.file('.next/server/app/index.html'), 'utf8')).toMatch(/client (<!-- -->)?idle/);
  });

  it('Nuxt renders one on the server', async () => {
    const app = appWith(['nuxt@3']).write({
      'lib/client.js': client,
      'app.vue': `<script setup>import { client } from './lib/client.js';</script>
        <template><p>client {{ client.state }}</p></template>`,
      'nuxt.config.ts':
        'export default defineNuxtConfig({ telemetry: false, nitro: { prerender: { routes: ["/"] } } });',
    });
    await app.node([app.file('node_modules/nuxt/bin/nuxt.mjs'), 'build'], { NUXT_TELEMETRY_DISABLED: '1' });
    expect(readFileSync(app.file('.output/public/index.html'), 'utf8')).toContain('client idle');
  });
});

/** Fails if an attempt that was refused is waited for to the end of its time. */
const RETURNING = `import { createClient } from '@fanfare/client';
  const backoff = { baseMs: 200, maxMs: 500 };
  const client = createClient({ url: process.env.GATEWAY_URL, connectTimeoutMs: 3_600_000, backoff, log: false });
  let before = 0;
  client.on('state', ({ state }) => {
    if (state === 'waiting') console.log(state);
    if (state !== 'connected' || before++ === 0) return;
    console.log('connected again');
    client.close();
  });
  client.connect();`;

/** A map of 200 patterns, and a program that uses them 1,000 times. */
function scale(): string {
  const indexes = Array.from({ length: 100 }, (_, n) => n);
  const entries = indexes.map(
    (n) => `'ns${n}:*': durable(z.object({ n: z.number(), text${n}: z.string() })),
      'ns${n}:vip:*': durable(z.object({ vip${n}: z.boolean() })),`,
  );
  const uses = Array.from({ length: 1_000 }, (_, n) =>
    n % 10 === 9
      ? `client.channel(\`ns${n % 100}:vip:\${id}\`).subscribe(({ data }) => data.vip${n % 100} === true);`
      : `client.channel('ns${n % 100}:${n}').subscribe(({ data }) => data.text${n % 100}.length);`,
  );
  return `import { createClient, defineChannels, durable } from '@fanfare/client';
    import { z } from 'zod';
    const channels = defineChannels({ ${entries.join('\n')} });
    const client = createClient({ url: '/ws', channels });
    declare const id: string;
    ${uses.join('\n')}`;
}
