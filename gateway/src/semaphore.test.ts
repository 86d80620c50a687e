import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Semaphore } from './semaphore.js';

/** Tasks that end when told to. */
function setUp(width: number) {
  const semaphore = new Semaphore(width);
  const begun: string[] = [];
  const ends = new Map<string, { ok: () => void; fail: (error: Error) => void }>();
  const run = (name: string) =>
    semaphore.run(
      () =>
        new Promise<string>((resolve, reject) => {
          begun.push(name);
          ends.set(name, { ok: () => resolve(name), fail: reject });
        }),
    );
  return { begun, ends, run };
}

it('runs so many at a time, and the others in order', async () => {
  const { begun, ends, run } = setUp(2);
  const all = ['a', 'b', 'c', 'd'].map(run);
  expect(begun).toEqual(['a', 'b']);
  ends.get('b')?.ok();
  expect(await all[1]).toBe('b');
  expect(begun).toEqual(['a', 'b', 'c']);
  ends.get('a')?.ok();
  await nextTurn();
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
});

it('gives the place of a task that failed to the next, and the failure to who asked', async () => {
  const { begun, ends, run } = setUp(1);
  const failed = run('a');
  const next = run('b');
  ends.get('a')?.fail(new Error('no'));
  await expect(failed).rejects.toThrow('no');
  expect(begun).toEqual(['a', 'b']);
  ends.get('b')?.ok();
  expect(await next).toBe('b');
});

it('lets nobody in besides the one whose turn it is, and has all places again once nobody runs', async () => {
  const { begun, ends, run } = setUp(1);
  const [first, second] = [run('a'), run('b')];
  ends.get('a')?.ok();
  await first;
  // It comes when the place is handed over, and waits behind.
  void run('c');
  expect(begun).toEqual(['a', 'b']);
  ends.get('b')?.ok();
  await second;
  expect(begun).toEqual(['a', 'b', 'c']);
  ends.get('c')?.ok();
  await nextTurn();
  void run('d');
  expect(begun.at(-1)).toBe('d');
  void run('e');
  expect(begun.at(-1)).toBe('d');
});
