import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { MUTATIONS } from '../mutations/index.mjs';

const read = (file: string) => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8');

describe('the faults of npm run test:mutations', () => {
  it('are sixty and more, each with a name of its own', () => {
    expect(MUTATIONS.length).toBeGreaterThanOrEqual(60);
    expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length);
  });

  it.each([
    'broker/memory',
    'broker/redis',
    '.lua',
    'hub',
    'session',
    'transport',
    'presence',
    'webhooks',
    'auth',
    'channels',
    'client-sdk',
  ])('are in %s, too', (where) => expect(MUTATIONS.some(({ file }) => file.includes(where))).toBe(true));

  it.each(MUTATIONS)('$file: $name: has its place, and makes a program', async ({ file, from, to, suite }) => {
    const source = read(file);
    expect(source.split(from), `the text to change must stand once in ${file}`).toHaveLength(2);
    expect(to).not.toBe(from);
    expect(read(suite)).not.toBe('');
    if (file.endsWith('.ts'))
      await transform(
        source.replace(from, () => to),
        { loader: 'ts' },
      );
  });
});
