import { expect, it } from 'vitest';
import { SmallMap } from './small-map.js';

it.each([1, 2, 5])('a small map is a map, with up to %i entries', (most) => {
  const map = new SmallMap<string, { n: number }>();
  const model = new Map<string, { n: number }>();
  const agree = () => {
    expect([...map]).toEqual([...model]);
    expect([...map.keys()]).toEqual([...model.keys()]);
    expect(map.size).toBe(model.size);
    for (let i = 0; i <= most; i++) {
      expect(map.get(`k${i}`)).toBe(model.get(`k${i}`));
      expect(map.has(`k${i}`)).toBe(model.has(`k${i}`));
    }
  };
  agree();
  for (const step of [0, 1, 1, 2, 3, 4, 0, 3]) {
    const key = `k${step % most}`;
    const value = { n: step };
    map.set(key, value);
    model.set(key, value);
    agree();
  }
  for (const step of [3, 0, 1, 1, 2, 4]) {
    map.delete(`k${step % most}`);
    model.delete(`k${step % most}`);
    agree();
  }
});

it('entries of a small map may be deleted while they are gone through', () => {
  const map = new SmallMap<string, object>();
  for (const key of ['a', 'b', 'c']) map.set(key, {});
  const seen: string[] = [];
  for (const [key] of map) {
    seen.push(key);
    map.delete(key);
  }
  expect([seen, map.size]).toEqual([['a', 'b', 'c'], 0]);
});
