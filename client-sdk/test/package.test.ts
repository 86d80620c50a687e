import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../gateway/test/support/gateway-process.js';
import { App, CJS, checkTypes, ESM, packSdk, RECEIVED, RESOLUTIONS, SUBSCRIBE } from './install/app.js';

const tool = (name: string) => fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url));

let tarball: string;
let gateway: GatewayProcess;
/** One with the `ws` package beside the SDK, and one without. */
let app: App;
let bare: App;

beforeAll(async () => {
  tarball = packSdk();
  app = new App(tarball, { borrowed: ['ws'] });
  bare = new App(tarball);
  gateway = await startGatewayProcess();
});
afterAll(async () => {
  await gateway?.stop();
  for (const each of [app, bare]) each?.remove();
  rmSync(path.dirname(tarball), { recursive: true, force: true });
});

const inGateway = () => ({ GATEWAY_URL: gateway.wsUrl });

describe('the packed SDK', () => {
  it('is what it has to be, with its licence, and needs no other package', () => {
    const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).split('\n');
    expect(files).toContain('package/LICENSE');
    expect(files.filter((name) => /\.map$|\/src\/|\.tsbuildinfo$/.test(name))).toEqual([]);
    const { exports, dependencies, main, types, unpkg, typesVersions } = JSON.parse(
      readFileSync(bare.file('node_modules/@fanfare/client/package.json'), 'utf8'),
    );
    expect(dependencies).toBeUndefined();
    const named = [main, types, unpkg, ...Object.values(typesVersions['*']).flat(), ...leaves(exports)];
    for (const file of named) expect(files).toContain(path.join('package', file as string));
    // Each entry has types where only `typesVersions` are looked at (module resolution node10).
    const subpaths = Object.keys(exports).filter((name) => name !== '.' && typeof exports[name] === 'object');
    expect(Object.keys(typesVersions['*']).map((name) => `./${name}`)).toEqual(subpaths);
  });

  it('has no page with a link to what is not in it', () => {
    const folder = bare.file('node_modules/@fanfare/client');
    const text = readFileSync(path.join(folder, 'README.md'), 'utf8');
    const links = Array.from(text.matchAll(/\]\(([^)]*)\)/g), ([, link = '']) => link);
    expect(links).toContain('#positions-that-outlive-a-reload');
    const files = links.filter((link) => !/^#|^https:/.test(link));
    expect(files.filter((link) => link.includes('..') || !existsSync(path.join(folder, link)))).toEqual([]);
  });

  it('pleases publint and arethetypeswrong', async () => {
    // Its suggestion to say by conditions what `browser` says would leave out Metro.
    const flags = ['--strict', '--level', 'warning'];
    const publint = await bare.node([tool('publint/src/cli.js'), 'run', tarball, ...flags]);
    expect(publint).toContain('All good!');
    await bare.node([tool('@arethetypeswrong/cli/dist/index.js'), tarball, '--no-emoji', '--no-color']);
  });

  it.each([
    ['import', 'app.mjs', ESM],
    ['require', 'app.cjs', CJS],
  ])('subscribes in Node by %s', async (_, name, text) => {
    app.write({ [name]: text });
    expect(await app.node([name], inGateway())).toBe(`${RECEIVED}\n`);
  });

  it('says so where there is no WebSocket at all', async () => {
    // Newer versions of Node have one.
    bare.write({ 'app.mjs': ESM.replace('\n', '\ndelete globalThis.WebSocket;\n') });
    const text = await bare.node(['app.mjs'], inGateway());
    expect(text).toMatch(/^error no_websocket .*install the ws package/);
  });

  it.each(RESOLUTIONS)('has types for module resolution %s', async (resolution) => {
    await checkTypes(app, tool('typescript/bin/tsc'), resolution, { ignoreDeprecations: '6.0' });
  });

  it.each([
    ['browser', 'esm', undefined],
    ['node', 'esm', 'bundle.mjs'],
    ['node', 'cjs', 'bundle.cjs'],
    ['neutral', 'esm', 'bundle.neutral.mjs'],
  ] as const)('is bundled by esbuild for %s as %s without a word', async (platform, format, runs) => {
    for (const each of [app, bare]) {
      const { outputFiles, warnings } = await build({
        stdin: { contents: ESM, resolveDir: each.folder },
        bundle: true,
        platform,
        format,
        ...(platform === 'neutral' && { mainFields: ['module', 'main'] }),
        write: false,
        logLevel: 'silent',
      });
      expect(warnings).toEqual([]);
      if (platform === 'browser') expect(outputFiles[0]?.text).not.toMatch(/require\(|import\(|no_websocket/);
      if (!runs || each === bare) continue;
      app.write({ [runs]: outputFiles[0]?.text ?? '' });
      expect(await app.node([runs], inGateway())).toBe(`${RECEIVED}\n`);
    }
  });

  it('is one script for a page, whose global is Fanfare', async () => {
    const script = readFileSync(app.file('node_modules/@fanfare/client/dist/fanfare.min.js'), 'utf8');
    const program = `globalThis.WebSocket = require('ws').WebSocket;
      const { createClient } = new Function(${JSON.stringify(`${script}; return Fanfare`)})();
      const url = process.env.GATEWAY_URL; ${SUBSCRIBE}`;
    app.write({ 'script.cjs': program });
    expect(await app.node(['script.cjs'], inGateway())).toBe(`${RECEIVED}\n`);
  });
});

/** Every file that a tree of conditions names. */
function leaves(tree: unknown): string[] {
  return typeof tree === 'string' ? [tree] : Object.values(tree as object).flatMap(leaves);
}
