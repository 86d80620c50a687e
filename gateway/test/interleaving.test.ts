import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { run } from './interleaving/run.js';
import { choices, steps } from './interleaving/steps.js';

const RUNS = Number(process.env.INTERLEAVING_RUNS ?? 2_000);
const SEED = process.env.INTERLEAVING_SEED ? Number(process.env.INTERLEAVING_SEED) : undefined;

describe('two gateways, three clients and a log that fails on command', () => {
  it(`lose, repeat and reorder nothing in ${RUNS} random interleavings`, { timeout: 600_000 }, async () => {
    const seen = { received: 0, live: 0, resets: 0, lagged: 0, pages: 0, published: 0 };
    const lines = { arrays: 0, covering: 0, positions: 0, spoiled: 0 };
    const property = fc.asyncProperty(steps, choices, async (script, luck) => {
      const result = await run(script, luck);
      for (const name of Object.keys(seen) as (keyof typeof seen)[]) seen[name] += result[name];
      for (const name of Object.keys(lines) as (keyof typeof lines)[]) lines[name] += result.lines[name];
      if (result.problems.length > 0) throw new Error(result.problems.join('\n'));
    });
    const details = await fc.check(property, { numRuns: RUNS, ...(SEED !== undefined && { seed: SEED }) });
    console.log(
      `interleavings: seed ${details.seed}, ${details.numRuns} runs, ${JSON.stringify(seen)}, on the lines ${JSON.stringify(lines)}`,
    );
    if (details.failed)
      throw new Error(`${fc.defaultReportMessage(details)}\n${(details.errorInstance as Error | undefined)?.message}`);
    // A suite that nothing happens in would prove nothing.
    expect(seen.received).toBeGreaterThan(RUNS * 5);
    for (const name of ['live', 'pages', 'published'] as const) expect(seen[name], name).toBeGreaterThan(RUNS / 2);
    for (const name of ['resets', 'lagged'] as const) expect(seen[name], name).toBeGreaterThan(RUNS / 50);
    for (const [name, count] of Object.entries(lines)) expect(count, name).toBeGreaterThan(RUNS / 10);
  });
});
