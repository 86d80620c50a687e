import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

/** The modules of ours that a browser bundle of this code holds. */
async function modulesOf(contents: string): Promise<string[]> {
  const result = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('.', import.meta.url)), loader: 'ts' },
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    logLevel: 'silent',
  });
  const [output] = Object.values(result.metafile.outputs);
  return Object.entries(output?.inputs ?? {})
    .filter(([, input]) => input.bytesInOutput > 0)
    .map(([path]) => path.replace(/^.*\//, '').replace(/\.ts$/, ''));
}

describe('a browser bundle', () => {
  it('with the JSON dialect alone holds nothing of MessagePack', async () => {
    const modules = await modulesOf(`import { jsonDialect } from './dialects/json.js'; console.log(jsonDialect);`);
    expect(modules).toContain('json');
    expect(modules.filter((name) => name.includes('msgpack') || name === 'byte-writer')).toEqual([]);
  });

  it('with the rules of server frames holds none of client frames', async () => {
    const modules = await modulesOf(`import { parseServerFrame } from './validate.js'; console.log(parseServerFrame);`);
    expect(modules).toContain('server-frames');
    expect(modules).not.toContain('client-frames');
  });

  it('with both dialects needs nothing that is not ours', async () => {
    const modules = await modulesOf(
      `import { jsonDialect } from './dialects/json.js'; import { msgpackDialect } from './dialects/msgpack.js';
       import { ERROR_CODES } from './index.js'; console.log(jsonDialect, msgpackDialect, ERROR_CODES);`,
    );
    expect(modules.sort()).toEqual([
      '<stdin>',
      'base64',
      'binary',
      'byte-writer',
      'codes',
      'dialect',
      'json',
      'msgpack',
      'msgpack-reader',
      'msgpack-writer',
      'payload',
      'utf8',
    ]);
  });
});
