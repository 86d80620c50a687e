import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

/** What a bundler makes of the built package for a page. */
async function bundle(contents: string): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: { contents, resolveDir: here },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    // Ours leads to the sources; what is bundled is what ships.
    tsconfigRaw: {},
  });
  expect(warnings).toEqual([]);
  return outputFiles[0]?.text ?? '';
}

describe('a browser bundle', () => {
  it('with JSON alone is under 18.3 KB compressed, without MessagePack and without Node', async () => {
    const text = await bundle(`import { createClient } from '@fanfare/client';
      createClient({ url: '/ws' }).channel('a').subscribe(console.log);`);
    expect(gzipSync(text, { level: 9 }).length).toBeLessThan(18_300);
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

  it('of what backends use is small', async () => {
    const publisher = await bundle(`import { createPublisher } from '@fanfare/client/publisher';
      createPublisher({ url: 'https://gateway', apiKey: 'dev' });`);
    const tokens = await bundle(`import { signToken } from '@fanfare/client/tokens';
      signToken({ key: '', expiresInS: 60 });`);
    expect(gzipSync(publisher, { level: 9 }).length).toBeLessThan(4_250);
    expect(gzipSync(tokens, { level: 9 }).length).toBeLessThan(1_700);
  });

  it('has MessagePack where it is asked for', async () => {
    const text = await bundle(`import { createClient } from '@fanfare/client';
      import { msgpackDialect } from '@fanfare/client/msgpack';
      createClient({ url: '/ws', codec: msgpackDialect });`);
    expect(text).toContain('fanfare.msgpack.v1');
  });
});
