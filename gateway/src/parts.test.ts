import { expect, it } from 'vitest';
import { type Part, startParts } from './parts.js';

/** Parts that note what they are asked to do; one of them may fail to start. */
function noted(names: readonly string[], failing?: string) {
  const calls: string[] = [];
  const parts: Part[] = names.map((name) => ({
    async start() {
      calls.push(`start ${name}`);
      if (name === failing) throw new Error(`${name} cannot start`);
    },
    async close() {
      calls.push(`close ${name}`);
    },
  }));
  return { calls, parts };
}

it('parts start in order and close the other way round', async () => {
  const { calls, parts } = noted(['a', 'b', 'c']);
  const close = await startParts([...parts, {}]);
  expect(calls).toEqual(['start a', 'start b', 'start c']);
  await close();
  expect(calls.slice(3)).toEqual(['close c', 'close b', 'close a']);
});

it('if one cannot start, those before it are closed, and those that need no start', async () => {
  const { calls, parts } = noted(['a', 'b', 'c'], 'b');
  const idle: Part = { close: () => void calls.push('close idle') };
  await expect(startParts([...parts, idle])).rejects.toThrow('b cannot start');
  expect(calls).toEqual(['start a', 'start b', 'close idle', 'close a']);
});
