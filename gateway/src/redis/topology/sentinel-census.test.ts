import { describe, expect, it } from 'vitest';
import { SentinelCensus } from './sentinel-census.js';

const at = (port: number) => ({ host: '10.0.0.1', port });
const sentinel = (port: number) => ({ id: `id-${port}`, ...at(port) });

function agree(...said: [master: number, configEpoch: number][]) {
  const census = new SentinelCensus('main');
  const answers = said.map(
    ([master, configEpoch], i) =>
      [String(i), { self: sentinel(i), master: at(master), configEpoch, others: [sentinel(7), sentinel(8)] }] as const,
  );
  const { view, isMajority } = census.agree(new Map(answers));
  return { masters: [...view.masters.keys()], isMajority };
}

describe('what the sentinels say together', () => {
  it('is the master of the highest config epoch, though only one knows of it yet', () => {
    expect(agree([1, 3], [2, 4], [1, 3])).toEqual({ masters: ['10.0.0.1:2'], isMajority: true });
  });

  it('is what most say, where epochs are equal', () => {
    expect(agree([1, 3], [2, 3], [2, 3]).masters).toEqual(['10.0.0.1:2']);
  });

  it('is no majority when one of three answers', () => {
    expect(agree([1, 3]).isMajority).toBe(false);
    expect(agree([1, 3], [1, 3]).isMajority).toBe(true);
  });

  it('is no majority when half of them answer', () => {
    const others = [sentinel(7), sentinel(8), sentinel(9)];
    const answer = (port: number) => ({ self: sentinel(port), master: at(1), configEpoch: 1, others });
    const answers = [1, 2, 3].map((port) => [String(port), answer(port)] as const);
    const census = new SentinelCensus('main');
    expect(census.agree(new Map(answers.slice(0, 2))).isMajority).toBe(false);
    expect(census.agree(new Map(answers)).isMajority).toBe(true);
  });

  it('counts one that answers under two names once', () => {
    const census = new SentinelCensus('main');
    const others = [sentinel(2), sentinel(3)];
    const answer = { self: sentinel(1), master: at(9), configEpoch: 1, others };
    const twice = new Map([
      ['name:1', { ...answer, self: { ...sentinel(1), host: 'name' } }],
      ['10.0.0.1:1', answer],
    ]);
    expect(census.agree(twice).isMajority).toBe(false);
    expect(census.peers(twice)).toEqual([{ host: 'name', port: 1 }, at(2), at(3)]);
  });
});
