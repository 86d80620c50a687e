import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

const CORE = `import { createClient } from '@fanfare/client';
  createClient({ url: '/ws' }).channel('a').subscribe(console.log);`;

/** What an entry takes by itself, or beside the core where it begins with `+`, and the most that it may, bytes. */
const BUDGETS: readonly (readonly [entry: string, contents: string, most: number])[] = [
  ['core with JSON', CORE, 17_150],
  [
    '+ a map of channels',
    `import { createClient, defineChannels, durable } from '@fanfare/client';
      createClient({ url: '/ws', channels: defineChannels({ a: durable() }) }).channel('a').subscribe(console.log);`,
    520,
  ],
  [
    '+ `/msgpack`',
    `${CORE} import { msgpackDialect } from '@fanfare/client/msgpack'; console.log(msgpackDialect);`,
    2_200,
  ],
  [
    '+ `/positions`, of a tab',
    `${CORE} import { sessionPositions } from '@fanfare/client/positions'; sessionPositions();`,
    2_000,
  ],
  [
    '+ `/positions`, of a device',
    `${CORE} import { localPositions } from '@fanfare/client/positions'; localPositions();`,
    2_200,
  ],
  ['+ `/store`', `${CORE} import * as stores from '@fanfare/client/store'; console.log(stores);`, 1_280],
  ['+ `/react`, with the stores', `${CORE} import { createHooks } from '@fanfare/client/react'; createHooks();`, 1_780],
  [
    '+ `/publisher`',
    `${CORE} import { createPublisher } from '@fanfare/client/publisher'; createPublisher({});`,
    2_470,
  ],
  [
    '`/publisher` by itself',
    `import { createPublisher } from '@fanfare/client/publisher'; createPublisher({});`,
    4_230,
  ],
  ['`/tokens` by itself', `import { signToken } from '@fanfare/client/tokens'; signToken({});`, 1_600],
];

/** What a bundler makes of the built package for a page. */
async function bundle(contents: string): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: { contents, resolveDir: here },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    external: ['react'],
    // Ours leads to the sources; what is bundled is what ships.
    tsconfigRaw: {},
  });
  expect(warnings).toEqual([]);
  return outputFiles[0]?.text ?? '';
}

describe('a browser bundle', () => {
  it('takes what its budget allows, and what the README says', async () => {
    const bytesOf = async (contents: string) => gzipSync(await bundle(contents), { level: 9 }).length;
    const core = await bytesOf(CORE);
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    for (const [entry, contents, most] of BUDGETS) {
      const bytes = (await bytesOf(contents)) - (entry.startsWith('+') ? core : 0);
      expect(bytes, entry).toBeLessThanOrEqual(most);
      // Small changes need no new figures.
      const [, told] = readme.split(`| ${entry} | `)[1]?.match(/^([\d.]+) \|/) ?? [];
      expect(
        Math.abs(Number(told) * 1_000 - bytes),
        `${entry}: ${bytes} bytes, and the README says ${told} KB`,
      ).toBeLessThan(300);
    }
  });

  it('with JSON alone is without MessagePack and without Node', async () => {
    const text = await bundle(CORE);
    expect(text).toContain('fanfare.json.v1');
    expect(text).not.toContain('fanfare.msgpack.v1');
    expect(text).not.toMatch(/import\(|require\(/);
  });

  it('opens the WebSocket of its place, also where that looks like Node', async () => {
    const text = await bundle(`import { createClient } from '@fanfare/client';
      createClient({ url: 'ws://gateway' }).connect();`);
    const opened: string[] = [];
    const WebSocket = class {
      constructor(url: string) {
        opened.push(url);
      }
    };
    const process = { versions: { node: '22.0.0' } };
    const runtime = { URL, TextEncoder, TextDecoder, console, setTimeout: () => 0, clearTimeout: () => {} };
    runInNewContext(text, { ...runtime, WebSocket, process });
    expect(opened).toEqual(['ws://gateway/ws']);
  });

  it('has MessagePack where it is asked for', async () => {
    const text = await bundle(`import { createClient } from '@fanfare/client';
      import { msgpackDialect } from '@fanfare/client/msgpack';
      createClient({ url: '/ws', codec: msgpackDialect });`);
    expect(text).toContain('fanfare.msgpack.v1');
  });
});
