import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.js';
import { MUTATIONS } from './named.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const [unit] = (base.test?.projects ?? []) as { readonly resolve: object }[];

/** Serves one source file with its fault put in; the file itself stays as it is. */
function mutate() {
  const mutation = MUTATIONS.find(({ name }) => name === process.env.FANFARE_MUTATION);
  if (!mutation) return [];
  const target = `${root}${mutation.file}`;
  return [
    {
      name: 'fanfare-mutation',
      enforce: 'pre' as const,
      load: (id: string) =>
        id === target ? readFileSync(id, 'utf8').replace(mutation.from, () => mutation.to) : undefined,
    },
  ];
}

export default defineConfig({
  root,
  plugins: mutate(),
  resolve: unit?.resolve,
  test: { include: ['*/src/**/*.test.ts', '*/test/*.test.ts'], testTimeout: 20_000, bail: 1, retry: 0 },
});
