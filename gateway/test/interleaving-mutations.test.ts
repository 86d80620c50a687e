import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MUTATIONS, type Mutation } from './interleaving/mutations.js';
import type * as Run from './interleaving/run.js';
import { choices, steps } from './interleaving/steps.js';

/** Far more than most of them need: a miss is no bad luck. The shy ones need some thousand, and a command of their own. */
const RUNS = 30_000;
const PLAYED = MUTATIONS.filter(({ isShy = false }) => !isShy || process.env.FANFARE_TEST_SHY === '1');
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfare-mutant-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The simulation, bundled from source with one fault put in. */
async function loadMutant(
  { package: where = 'gateway', file, from, to }: Mutation,
  index: number,
): Promise<typeof Run> {
  const target = join(ROOT, where, 'src', file);
  const source = await readFile(target, 'utf8');
  const outfile = join(folder, `mutant-${index}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL('./interleaving/run.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    external: ['ws'],
    alias: {
      '@fanfare/protocol': join(ROOT, 'protocol/src/index.ts'),
      '@fanfare/protocol/compact': join(ROOT, 'protocol/src/dialects/compact.ts'),
      '@fanfare/protocol/json': join(ROOT, 'protocol/src/dialects/json.ts'),
      '@fanfare/protocol/msgpack': join(ROOT, 'protocol/src/dialects/msgpack.ts'),
      '@fanfare/protocol/raw': join(ROOT, 'protocol/src/dialects/raw.ts'),
      '@fanfare/protocol/suite/contiguity': join(ROOT, 'protocol/suite/contiguity.mjs'),
      '@fanfare/protocol/validate': join(ROOT, 'protocol/src/validate.ts'),
      '@fanfare/client/msgpack': join(ROOT, 'client-sdk/src/msgpack.ts'),
      '@fanfare/client': join(ROOT, 'client-sdk/src/index.ts'),
    },
    plugins: [
      {
        name: 'mutate',
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) =>
            path === target ? { contents: source.replace(from, () => to), loader: 'ts' } : undefined,
          );
        },
      },
    ],
  });
  return (await import(pathToFileURL(outfile).href)) as typeof Run;
}

it.each(MUTATIONS)(
  'the text to change stands in the source once: $name',
  async ({ package: where = 'gateway', file, from }) => {
    expect((await readFile(join(ROOT, where, 'src', file), 'utf8')).split(from)).toHaveLength(2);
  },
);

describe('the interleavings notice', () => {
  it.each(PLAYED.map((mutation, index) => ({ ...mutation, index })))(
    '$name',
    { timeout: 600_000 },
    async ({ index, ...mutation }) => {
      const { run } = await loadMutant(mutation, index);
      let runs = 0;
      const property = fc.asyncProperty(steps, choices, async (script, luck) => {
        runs++;
        const { problems } = await run(script, luck);
        return problems.length === 0;
      });
      const details = await fc.check(property, { numRuns: RUNS, endOnFailure: true });
      console.log(
        `${mutation.name}: ${details.failed ? `noticed in run ${runs}` : 'not noticed'} (seed ${details.seed})`,
      );
      expect(details.failed, `not noticed in ${RUNS} runs, seed ${details.seed}`).toBe(true);
    },
  );
});
