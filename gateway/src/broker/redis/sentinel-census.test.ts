import { describe, expect, it } from 'vitest';
import { SentinelCensus } from './sentinel-census.js';

const at = (port: number) => ({ host: '10.0.0.1', port });

function agree(...said: [master: number, configEpoch: number][]) {
  const census = new SentinelCensus('main');
  const answers = said.map(
    ([master, configEpoch], i) =>
      [String(i), { self: at(i), master: at(master), configEpoch, others: [at(7), at(8)] }] as const,
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
});
